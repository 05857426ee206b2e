"""The stand-in for an exception whose message cannot be shown."""

from __future__ import annotations


class UnprintableError(RuntimeError):
    """Names an exception that raises when it is asked for its message."""


def refuse_unprintable(error: Exception) -> None:
    """Raise a stand-in if `error` has no message: every report of it would raise again.

    Raises:
        UnprintableError: naming the exception's class.
    """
    if not _is_printable(error):
        raise UnprintableError(f"{type(error).__name__}, whose own message cannot be shown") from None


def _is_printable(error: Exception) -> bool:
    try:
        return isinstance(str(error), str)
    except Exception:  # noqa: BLE001 - the answer to the question is no
        return False
