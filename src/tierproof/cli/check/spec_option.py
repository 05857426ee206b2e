"""Parse `--spec KEY=VALUE`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from tierproof.core.json_value import JsonValue
from tierproof.errors import UsageError
from tierproof.model.call.spec import KINDS, ModelSpec

_SIZE = re.compile(r"(\d+)x(\d+)\Z")


def parse_spec(pairs: Sequence[str], defaults: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Give the fields of a ModelSpec: the pairs over the defaults.

    A value is a number, true or false, HEIGHTxWIDTH, or a word.

    Raises:
        UsageError: for a pair without `=`, an unknown field, or a value that does not fit it.
    """
    values = dict(defaults)
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--spec {pair!r} is not KEY=VALUE", hint="For instance --spec vocab_size=256.")
        values[key.strip().replace("-", "_")] = _parse_value(value.strip())
    try:
        ModelSpec.from_mapping(values)
    except TypeError as error:
        kinds = ", ".join(KINDS)
        hint = f"Write a number, true or false; for `kind`, one of {kinds}."
        raise UsageError(f"--spec: {error}", hint=hint) from error
    return values


def _parse_value(text: str) -> JsonValue:
    if size := _SIZE.match(text):
        return [int(size[1]), int(size[2])]
    try:
        value: JsonValue = json.loads(text.lower() if text.lower() in ("true", "false") else text)
    except json.JSONDecodeError:
        return text
    return value
