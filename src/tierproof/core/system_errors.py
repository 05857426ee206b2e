"""An error of the operating system as a sentence: which file, and why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tierproof.errors import TierproofError


@contextmanager
def telling_system_errors(kind: type[TierproofError], doing: str, hint: str) -> Iterator[None]:
    """Raise `kind` in place of an OSError.

    Args:
        kind: of the error.
        doing: how its message begins, such as `cannot change the added packages`.
        hint: what to do.

    Raises:
        TierproofError: of that kind.
    """
    try:
        yield
    except OSError as error:
        raise kind(f"{doing}: {describe_system_error(error)}", hint=hint) from error


def describe_system_error(error: OSError) -> str:
    """The file, where one is known, and the reason."""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"
