"""T1-INIT's measurements: what each layer starts from, beside the scheme it resembles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tierproof.checks.measurements.read_value import read_amount, read_records
from tierproof.core.json_value import JsonValue


@dataclass(frozen=True, slots=True)
class LayerScale:
    """The values of one weight.

    Attributes:
        path: the module that owns it; `parameter` is its name there.
        kind: of layer, in words.
        std: standard deviation of its values; `expected_std` that of the `scheme` it resembles.
    """

    path: str
    kind: str
    std: float
    expected_std: float | None
    parameter: str = "weight"
    shape: tuple[int, ...] = ()
    mean: float = 0.0
    scheme: str = ""

    def to_dict(self) -> dict[str, JsonValue]:
        """The layer as it stands in a report."""
        return {
            "path": self.path,
            "parameter": self.parameter,
            "kind": self.kind,
            "shape": list(self.shape),
            "mean": self.mean,
            "std": self.std,
            "expected_std": self.expected_std,
            "scheme": self.scheme,
        }


@dataclass(frozen=True, slots=True)
class WeightScales:
    """The scales of all weights, and what follows from them.

    Attributes:
        layers: in the order of `named_parameters()`, biases left out.
        consequence: single values by name: whether it looks trained, the first loss, the spread of the answer.
    """

    layers: tuple[LayerScale, ...]
    consequence: Mapping[str, JsonValue] = field(default_factory=dict)

    def to_dict(self) -> dict[str, JsonValue]:
        """The measurements as they stand in a report."""
        return {"layers": [layer.to_dict() for layer in self.layers], **self.consequence}

    @classmethod
    def from_document(cls, document: Mapping[str, JsonValue]) -> WeightScales:
        """Read what `to_dict` wrote; layers without a scale that is a finite amount are left out."""
        return cls(
            tuple(
                LayerScale(
                    str(record.get("path", "")),
                    str(record.get("kind", "layer")),
                    std,
                    read_amount(record.get("expected_std")),
                )
                for record in read_records(document.get("layers"))
                if (std := read_amount(record.get("std"))) is not None
            ),
            {name: value for name, value in document.items() if name != "layers"},
        )
