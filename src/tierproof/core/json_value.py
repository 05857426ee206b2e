"""What may stand in a report: plain JSON values, with a defined spelling for non-finite numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

JsonValue: TypeAlias = bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"] | None


def to_json_value(value: object) -> JsonValue:
    """Turn `value` into what `json.dumps(..., allow_nan=False)` accepts.

    JSON has no NaN and no infinity, so they become the strings "NaN", "Infinity" and "-Infinity".

    Raises:
        TypeError: for anything that is not a plain value, list, tuple or mapping with string keys.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return value
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"a JSON object needs string keys, got {key!r}")
        return {key: to_json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_value(item) for item in value]
    raise TypeError(f"{type(value).__name__} is not a JSON value: {value!r}")
