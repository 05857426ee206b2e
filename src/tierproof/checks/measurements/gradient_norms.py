"""T1-GRAD's measurements: the gradient norm of each module, and how gradients compare with finite differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tierproof.checks.measurements.read_value import read_count, read_number, read_records
from tierproof.core.json_value import JsonValue


@dataclass(frozen=True, slots=True)
class ModuleGradient:
    """The gradient norm of one module's own parameters; zero, NaN and infinity are told as they are."""

    path: str
    gradient_norm: float
    parameters: int = 0

    def to_dict(self) -> dict[str, JsonValue]:
        """The module as it stands in a report."""
        return {"path": self.path, "gradient_norm": self.gradient_norm, "parameters": self.parameters}


@dataclass(frozen=True, slots=True)
class GradientNorms:
    """Gradient norms of the modules that own trainable parameters, in forward order.

    Attributes:
        modules: in forward order.
        audit: single values by name: the objective, and the comparison with finite differences.
    """

    modules: tuple[ModuleGradient, ...]
    audit: Mapping[str, JsonValue] = field(default_factory=dict)

    def to_dict(self) -> dict[str, JsonValue]:
        """The measurements as they stand in a report."""
        return {**self.audit, "modules": [module.to_dict() for module in self.modules]}

    @classmethod
    def from_document(cls, document: Mapping[str, JsonValue]) -> GradientNorms:
        """Read what `to_dict` wrote; what is missing or misshapen is absent."""
        return cls(
            tuple(
                ModuleGradient(str(record.get("path", "")), norm, read_count(record.get("parameters")) or 0)
                for record in read_records(document.get("modules"))
                if (norm := read_number(record.get("gradient_norm"))) is not None
            ),
            {name: value for name, value in document.items() if name != "modules"},
        )
