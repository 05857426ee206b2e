"""An error as JSON, to carry it from the child that raised it to the process that shows it."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Mapping

from tierproof.core.json_value import JsonValue
from tierproof.errors import TierproofError

_PACKAGE = "tierproof."
_FIELDS = ("package", "feature", "command")


def describe_error(error: BaseException) -> dict[str, JsonValue]:
    """Give the error's class, message and traceback; a TierproofError's hint and fields too."""
    described: dict[str, JsonValue] = {
        "class": type(error).__name__,
        "message": error.message if isinstance(error, TierproofError) else str(error),
        "traceback": "".join(traceback.format_exception(error)),
        "ours": isinstance(error, TierproofError),
    }
    if isinstance(error, TierproofError):
        described["module"] = type(error).__module__
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
        kind = _find_class(str(described["module"]), name)
        fields = {key: str(described[key]) for key in _FIELDS if key in described}
        error = kind(message, hint=str(described["hint"]), **fields)
    else:
        error = ChildError(f"{name}: {message}" if message else name)
    error.add_note(str(described["traceback"]))
    return error


def _find_class(module: str, name: str) -> type[TierproofError]:
    """Give the class where it is one of ours; the target's own code may have made others, and is not imported."""
    if not module.startswith(_PACKAGE):
        return TierproofError
    found = getattr(importlib.import_module(module), name, None)
    return found if isinstance(found, type) and issubclass(found, TierproofError) else TierproofError


class ChildError(RuntimeError):
    """The child raised what it should not have."""

    def __str__(self) -> str:
        return str(self.args[0])
