"""The exit codes of the command line that more than one command gives."""

from __future__ import annotations

EXIT_COULD_NOT_JUDGE = 2
"""Bad usage, a target that does not load, no network, or an inconclusive report."""
