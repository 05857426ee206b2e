"""T1-MEM's measurements: what the memory of a training step is made of, and a forecast for other sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tierproof.checks.measurements.read_value import read_amount, read_count, read_records
from tierproof.core.json_value import JsonValue

PARTS = ("parameters", "buffers", "gradients", "optimizer", "activations")


@dataclass(frozen=True, slots=True)
class ForecastCell:
    """Bytes of one training step at a batch size and length; `length` is None for a model without one."""

    batch: int
    length: int | None
    activation_bytes: float
    training_bytes: float

    def to_dict(self) -> dict[str, JsonValue]:
        """The cell as it stands in a report."""
        return {
            "batch": self.batch,
            "length": self.length,
            "activation_bytes": self.activation_bytes,
            "training_bytes": self.training_bytes,
        }


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Memory of one training step.

    Attributes:
        breakdown_bytes: bytes by part, in the order of `PARTS`.
        forecast: other batch sizes and lengths; empty where none could be made.
        peaks: single values by name that a report shows first.
        details: counts, sources and shares by name.
        fit: what the forecast rests on, by name, or why there is none.
    """

    breakdown_bytes: Mapping[str, float]
    forecast: tuple[ForecastCell, ...] = ()
    peaks: Mapping[str, JsonValue] = field(default_factory=dict)
    details: Mapping[str, JsonValue] = field(default_factory=dict)
    fit: Mapping[str, JsonValue] = field(default_factory=dict)

    def to_dict(self) -> dict[str, JsonValue]:
        """The measurements as they stand in a report."""
        document: dict[str, JsonValue] = {
            **self.peaks,
            "breakdown_bytes": dict(self.breakdown_bytes),
            **self.details,
        }
        if self.forecast:
            document["forecast"] = [cell.to_dict() for cell in self.forecast]
        return {**document, **self.fit}

    @classmethod
    def from_document(cls, document: Mapping[str, JsonValue]) -> MemoryUse:
        """Read the breakdown and the forecast that `to_dict` wrote; what is missing or misshapen is absent."""
        breakdown = document.get("breakdown_bytes")
        parts = breakdown if isinstance(breakdown, Mapping) else {}
        cells = []
        for record in read_records(document.get("forecast")):
            batch, length = read_count(record.get("batch")), read_count(record.get("length"))
            size = read_amount(record.get("training_bytes"))
            if batch is not None and size is not None:
                activations = read_amount(record.get("activation_bytes")) or 0.0
                cells.append(ForecastCell(batch, length, activations, size))
        return cls(
            {part: size for part in PARTS if (size := read_amount(parts.get(part))) is not None}, tuple(cells)
        )
