"""Read values of measurements that somebody else may have written: what is missing or misshapen is absent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tierproof.core.json_value import JsonValue

_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_LARGEST = 1e300  # beyond it, sums and logarithms of a chart overflow


def read_number(value: JsonValue) -> float | None:
    """Give `value` as a float; the spelled-out non-finite numbers count, booleans and text do not."""
    if isinstance(value, str):
        return _NON_FINITE.get(value)
    if value is None or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return math.inf
    return math.copysign(math.inf, number) if abs(number) > _LARGEST else number


def read_finite(value: JsonValue) -> float | None:
    """Give `value` as a finite float, or None."""
    number = read_number(value)
    return number if number is not None and math.isfinite(number) else None


def read_amount(value: JsonValue) -> float | None:
    """Give `value` as a finite float that is not negative, or None."""
    number = read_finite(value)
    return number if number is not None and number >= 0 else None


def read_count(value: JsonValue) -> int | None:
    """Give `value` as an integer, or None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def read_records(value: JsonValue) -> list[Mapping[str, JsonValue]]:
    """Give the mappings in a list; an empty list for anything else."""
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        return []
    return [item for item in value if isinstance(item, Mapping)]
