"""T1-SHAPE's measurements: which batch sizes and lengths were tried, and how each went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tierproof.checks.measurements.read_value import read_amount, read_count, read_records
from tierproof.core.json_value import JsonValue


@dataclass(frozen=True, slots=True)
class SweptCase:
    """One size; `length` is None for a model without one, `outcome` is `passed`, `raised`, `failed` or a reason."""

    batch: int | None
    length: int | None
    outcome: str
    output_shape: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, JsonValue]:
        """The case as it stands in a report."""
        return {
            "batch": self.batch,
            "length": self.length,
            "outcome": self.outcome,
            "output_shape": list(self.output_shape),
        }


@dataclass(frozen=True, slots=True)
class ShapeSweep:
    """A sweep over batch sizes and lengths.

    Attributes:
        cases: in the order they were tried.
        forward_s: seconds of one forward pass at the default size; None where it is not known.
        maximum_length: the longest input that the model declares, and in `maximum_length_source` where.
    """

    cases: tuple[SweptCase, ...]
    forward_s: float | None = None
    maximum_length: int | None = None
    maximum_length_source: str = ""

    def to_dict(self) -> dict[str, JsonValue]:
        """The measurements as they stand in a report."""
        return {
            "forward_s": self.forward_s,
            "cases": [case.to_dict() for case in self.cases],
            "maximum_length": self.maximum_length,
            "maximum_length_source": self.maximum_length_source,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, JsonValue]) -> ShapeSweep:
        """Read what `to_dict` wrote; what is missing or misshapen is absent."""
        return cls(
            cases=tuple(
                SweptCase(
                    read_count(record.get("batch")),
                    read_count(record.get("length")),
                    str(record.get("outcome")),
                )
                for record in read_records(document.get("cases"))
            ),
            forward_s=read_amount(document.get("forward_s")),
            maximum_length=read_count(document.get("maximum_length")),
            maximum_length_source=str(document.get("maximum_length_source") or ""),
        )
