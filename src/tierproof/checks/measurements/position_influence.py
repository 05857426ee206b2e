"""T1-CAUSAL's measurements: which input positions move which output positions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tierproof.checks.measurements.read_value import read_number
from tierproof.core.json_value import JsonValue

Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class PositionInfluence:
    """The influence of input positions (columns) on output positions (rows).

    Attributes:
        influence: a rectangle of 0 and 1, or of strengths >= 0; empty where it was not measured.
        leak: single values by name: how many positions were tried, and the largest change of an earlier output.
    """

    influence: Matrix
    leak: Mapping[str, JsonValue] = field(default_factory=dict)

    def to_dict(self) -> dict[str, JsonValue]:
        """The measurements as they stand in a report."""
        return {"influence": [list(row) for row in self.influence], **self.leak}

    @classmethod
    def from_document(cls, document: Mapping[str, JsonValue]) -> PositionInfluence:
        """Read what `to_dict` wrote; what is no rectangle is absent."""
        rest = {name: value for name, value in document.items() if name != "influence"}
        return cls(_read_matrix(document.get("influence")), rest)


def _read_matrix(value: JsonValue) -> Matrix:
    """Read a non-empty rectangle of strengths >= 0; an infinite or NaN influence is the strongest."""
    if isinstance(value, str) or not isinstance(value, Sequence) or not value:
        return ()
    matrix: list[tuple[float, ...]] = []
    for row in value:
        if isinstance(row, str) or not isinstance(row, Sequence):
            return ()
        if len(row) != len(matrix[0] if matrix else row):
            return ()
        numbers = [float(item) if isinstance(item, bool) else read_number(item) for item in row]
        matrix.append(tuple(math.inf if n is not None and math.isnan(n) else abs(n or 0.0) for n in numbers))
    return tuple(matrix) if matrix[0] else ()
