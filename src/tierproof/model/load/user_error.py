"""Turn an exception of the user's own code into one clear message with the line that raised it."""

from __future__ import annotations

import traceback
from pathlib import Path

from tierproof.model.load.target import TargetError

_LONGEST_MESSAGE = 400  # torch's argument errors run to pages


def explain_user_error(error: BaseException, folder: Path, doing: str) -> TargetError:
    """Build the error that says what went wrong in the user's code, and in which line.

    Args:
        error: what it raised.
        folder: the folder of that code; the innermost line within it is named.
        doing: what was under way, for instance "loading model.py".
    """
    if isinstance(error, SyntaxError):
        return _explain_syntax(error, doing)
    where = locate(error, folder)
    at = f"{where}: " if where else ""
    if isinstance(error, ImportError):
        return _explain_import(error, at, doing)
    if isinstance(error, SystemExit):
        return TargetError(
            f"{doing} failed: {at}the code called sys.exit({error.code!r})",
            hint='Put what only a script should do under `if __name__ == "__main__":`.',
        )
    return TargetError(
        f"{doing} failed: {at}{type(error).__name__}: {shorten(str(error))}",
        hint="Fix that line, or run with `--debug` for the full traceback.",
    )


def locate(error: BaseException, folder: Path) -> str:
    """`FILE:LINE` of the innermost frame in `folder`; empty when none is."""
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        path = Path(frame.filename)
        if path.is_absolute() and path.is_relative_to(folder) and "site-packages" not in path.parts:
            return f"{path}:{frame.lineno}"
    return ""


def shorten(message: str) -> str:
    """The first lines of a message, cut at a length a person reads."""
    lines = [line.strip() for line in message.strip().splitlines() if line.strip()]
    text = " ".join(lines[:3])
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"


def _explain_syntax(error: SyntaxError, doing: str) -> TargetError:
    line = (error.text or "").strip()
    quoted = f"\n    {line}" if line else ""
    return TargetError(
        f"{doing} failed: syntax error in {error.filename}:{error.lineno}: {error.msg}{quoted}",
        hint="Fix that line and run again.",
    )


def _explain_import(error: ImportError, at: str, doing: str) -> TargetError:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return TargetError(
            f"{doing} failed: {at}it imports {error.name!r}, but there is no such module",
            hint="Install the package that provides it into this environment, or fix the import.",
        )
    return TargetError(
        f"{doing} failed: {at}cannot import: {type(error).__name__}: {shorten(str(error))}",
        hint="Fix that import, or run with `--debug` for the full traceback.",
    )
