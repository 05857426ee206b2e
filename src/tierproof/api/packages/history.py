"""`tierproof.history`: what was added and removed."""

from __future__ import annotations

from tierproof.guard.operations.history_listing import History, list_history


def history() -> History:
    """List every change of this environment's additions, oldest first."""
    return list_history()
