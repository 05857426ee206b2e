"""Read values of a JSON document that somebody else may have written, and say which of them is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tierproof.core.json_value import JsonValue
from tierproof.errors import TierproofError


class DocumentError(TierproofError, ValueError):
    """A JSON document lacks a key, or holds a value of another type than its format says."""

    slug = "document"


def read_text(document: Mapping[str, JsonValue], key: str) -> str:
    """The text under `key`."""
    value = _read(document, key)
    if not isinstance(value, str):
        raise _misfit(key, "a text", value)
    return value


def read_integer(document: Mapping[str, JsonValue], key: str) -> int:
    """The integer under `key`; a boolean is none."""
    value = _read(document, key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _misfit(key, "an integer", value)
    return value


def read_number(document: Mapping[str, JsonValue], key: str) -> float:
    """The number under `key`."""
    value = _read(document, key)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _misfit(key, "a number", value)
    return float(value)


def read_mapping(document: Mapping[str, JsonValue], key: str) -> Mapping[str, JsonValue]:
    """The object under `key`."""
    value = _read(document, key)
    if not isinstance(value, Mapping):
        raise _misfit(key, "an object", value)
    return value


def read_mappings(document: Mapping[str, JsonValue], key: str) -> tuple[Mapping[str, JsonValue], ...]:
    """The objects in the list under `key`."""
    return tuple(item for item in _read_list(document, key) if isinstance(item, Mapping))


def read_texts(document: Mapping[str, JsonValue], key: str) -> tuple[str, ...]:
    """The items of the list under `key`, as texts."""
    return tuple(str(item) for item in _read_list(document, key))


def _read_list(document: Mapping[str, JsonValue], key: str) -> Sequence[JsonValue]:
    value = _read(document, key)
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise _misfit(key, "a list", value)
    return value


def _read(document: Mapping[str, JsonValue], key: str) -> JsonValue:
    if key not in document:
        raise DocumentError(
            f"the report's JSON has no {key!r}",
            hint="Pass a document that `tierproof check --json` wrote, unchanged.",
        )
    return document[key]


def _misfit(key: str, wanted: str, value: JsonValue) -> DocumentError:
    return DocumentError(
        f"in the report's JSON {key!r} must be {wanted}, but is {type(value).__name__} {str(value)[:60]!r}",
        hint="Pass a document that `tierproof check --json` wrote, unchanged.",
    )
