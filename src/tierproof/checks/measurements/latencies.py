"""T1-SPEED's measurements: how long forward passes took, and the share of the machine's peak they reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tierproof.checks.measurements.read_value import read_amount
from tierproof.core.json_value import JsonValue


@dataclass(frozen=True, slots=True)
class Latencies:
    """Forward passes at one size, after a warm-up.

    Attributes:
        latencies_ms: of each pass; `median_ms`, `p90_ms` and `p99_ms` are of all of them.
        peak_share: floating-point operations per second as a share of this machine's measured peak.
        rates: tokens, samples and operations per second, by name with units.
        setting: batch size, length and threads.
    """

    latencies_ms: tuple[float, ...] = ()
    median_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    peak_share: float | None = None
    rates: Mapping[str, JsonValue] = field(default_factory=dict)
    setting: Mapping[str, JsonValue] = field(default_factory=dict)

    def to_dict(self) -> dict[str, JsonValue]:
        """The measurements as they stand in a report."""
        return {
            "latencies_ms": list(self.latencies_ms),
            "median_ms": self.median_ms,
            "p90_ms": self.p90_ms,
            "p99_ms": self.p99_ms,
            **self.rates,
            "peak_share": self.peak_share,
            **self.setting,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, JsonValue]) -> Latencies:
        """Read the latencies and the share that `to_dict` wrote; what is missing or misshapen is absent."""
        passes = document.get("latencies_ms")
        items = passes if isinstance(passes, Sequence) and not isinstance(passes, str) else ()
        return cls(
            latencies_ms=tuple(latency for item in items if (latency := read_amount(item)) is not None),
            median_ms=read_amount(document.get("median_ms")),
            p90_ms=read_amount(document.get("p90_ms")),
            p99_ms=read_amount(document.get("p99_ms")),
            peak_share=read_amount(document.get("peak_share")),
        )
