"""An image that a source offers: what it is, and how its list is fetched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """One image of a source.

    Attributes:
        entry: as an `index.json` has it.
        fetch: gives the text of its list; raises OSError or PlanError where that fails.
    """

    entry: Mapping[str, object]
    fetch: Callable[[], str]

    @property
    def key(self) -> tuple[str, str]:
        """Its name and hardware, which no two images of a store share."""
        return str(self.entry.get("image")), str(self.entry.get("hardware"))

    @property
    def label(self) -> str:
        """What it is called in messages."""
        return "-".join(self.key)
