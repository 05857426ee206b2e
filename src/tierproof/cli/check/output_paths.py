"""Refuse -o files that could not be written, before any work is done."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from tierproof.core.renderers import find_renderer, known_suffixes
from tierproof.errors import OutputError


def require_writable(paths: Sequence[Path]) -> None:
    """Try each path's suffix and folder, leaving nothing behind. The renderers have to be registered.

    Raises:
        OutputError: for an unknown suffix, a folder that is absent or not writable, or a folder as file.
    """
    for path in paths:
        if not path.suffix or path.suffix.endswith("-fragment") or find_renderer(path.suffix) is None:
            known = ", ".join(suffix for suffix in known_suffixes() if "-" not in suffix)
            raise OutputError(
                f"-o {path}: the suffix {path.suffix!r} is not a report format", hint=f"Use one of {known}."
            )
        if path.is_dir():
            raise OutputError(
                f"-o {path}: this is a folder, not a file",
                hint=f"Name a file, such as -o {path / 'report.html'}",
            )
        try:
            with tempfile.TemporaryFile(dir=path.parent):
                pass
        except OSError as error:
            raise OutputError(
                f"-o {path}: cannot write to the folder {path.parent} ({error.strerror or error})",
                hint="The model was not checked. Name a file in an existing, writable folder.",
            ) from error
