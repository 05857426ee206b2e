"""An error as JSON, to carry it from the child that raised it to the process that shows it."""

from __future__ import annotations

import traceback
from collections.abc import Mapping

from tierproof import errors
from tierproof.core.json_value import JsonValue

_FIELDS = ("package", "feature", "command")


def describe_error(error: BaseException) -> dict[str, JsonValue]:
    """Give the error's class, message and traceback; a TierproofError's hint and fields too."""
    described: dict[str, JsonValue] = {
        "class": type(error).__name__,
        "message": error.message if isinstance(error, errors.TierproofError) else str(error),
        "traceback": "".join(traceback.format_exception(error)),
        "ours": isinstance(error, errors.TierproofError),
    }
    if isinstance(error, errors.TierproofError):
        described["hint"] = error.hint
        described |= {name: str(getattr(error, name)) for name in _FIELDS if hasattr(error, name)}
    return described


def rebuild_error(described: Mapping[str, JsonValue]) -> Exception:
    """The error that `describe_error` described, its traceback as a note.

    What was no TierproofError comes back as a RuntimeError whose message names the class.
    """
    name, message = str(described["class"]), str(described["message"])
    error: Exception
    if described["ours"]:
        kind = getattr(errors, name, errors.TierproofError)
        fields = {key: str(described[key]) for key in _FIELDS if key in described}
        error = kind(message, hint=str(described["hint"]), **fields)
    else:
        error = ChildError(f"{name}: {message}" if message else name)
    error.add_note(str(described["traceback"]))
    return error


class ChildError(RuntimeError):
    """The child raised what it should not have."""

    def __str__(self) -> str:
        return str(self.args[0])
