"""What typed measurements are: frozen data that gives its own JSON document."""

from __future__ import annotations

from typing import Protocol

from tierproof.core.json_value import JsonValue


class Measured(Protocol):
    """Measurements of one check, with a type of their own."""

    def to_dict(self) -> dict[str, JsonValue]:
        """The measurements by name, with units in their names."""
