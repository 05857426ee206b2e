"""Read an interval back from a report."""

from __future__ import annotations

from collections.abc import Mapping

from tierproof.analysis.intervals.interval import Interval
from tierproof.checks.measurements.read_value import read_count, read_finite
from tierproof.core.json_value import JsonValue


def read_interval(value: JsonValue) -> Interval | None:
    """The interval, or None where a part is missing or misshapen."""
    if not isinstance(value, Mapping):
        return None
    middle, low, high = (read_finite(value.get(name)) for name in ("value", "low", "high"))
    if middle is None or low is None or high is None:
        return None
    return Interval(middle, low, high, read_count(value.get("count")) or 0, str(value.get("method", "")))
