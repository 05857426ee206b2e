"""A measured value with the interval in which the value over all such examples lies."""

from __future__ import annotations

from dataclasses import dataclass

from tierproof.core.json_value import JsonValue, to_json_value

LEVEL = 0.95
"""How often an interval covers the true value."""
EXACT = "Clopper-Pearson"
RESAMPLED = "bootstrap"


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over examples.

    Attributes:
        value: the mean.
        low, high: the ends of the interval; both are the value where one example gives no spread.
        count: how many examples it is a mean of.
        method: `Clopper-Pearson` (exact, for shares) or `bootstrap`.
    """

    value: float
    low: float
    high: float
    count: int
    method: str

    def to_dict(self) -> dict[str, JsonValue]:
        """The interval as it stands in a report."""
        return {
            "value": to_json_value(self.value),
            "low": to_json_value(self.low),
            "high": to_json_value(self.high),
            "count": self.count,
            "method": self.method,
        }
