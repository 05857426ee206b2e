"""What the functions of tier 2 return: measured figures that can be shown, drawn and saved."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from tierproof.core.atomic_write import write_text_atomically
from tierproof.core.json_value import JsonValue
from tierproof.core.measured import Measured
from tierproof.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMAT_VERSION = 1
M = TypeVar("M", bound=Measured)


@dataclass(frozen=True, eq=False)
class AnalysisView(ABC, Generic[M]):
    """The result of one analysis; in a notebook it shows itself."""

    measured: M

    @abstractmethod
    def figure(self) -> Figure:
        """A figure of it; needs matplotlib."""

    @abstractmethod
    def _render_page(self) -> str:
        """A page of its own, in HTML without anything from the network."""

    @abstractmethod
    def _repr_html_(self) -> str: ...

    def to_dict(self) -> dict[str, JsonValue]:
        """The figures as plain JSON values."""
        return {"format_version": FORMAT_VERSION, **self.measured.to_dict()}

    def save(self, path: str | Path) -> Path:
        """Write the figures to a `.json` file, or what a notebook shows to an `.html` or `.svg` file.

        Raises:
            UsageError: the name ends otherwise.
            OutputError: the file cannot be written.
        """
        target = Path(path)
        if target.suffix == ".json":
            text = json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"
        elif target.suffix == ".html":
            text = self._render_page()
        elif target.suffix == ".svg":
            from tierproof.plots.svg import render_inline_svg

            text = render_inline_svg(self.figure())
        else:
            raise UsageError(
                f"cannot save to {target.name}", hint="Name a file that ends with .json, .html or .svg."
            )
        write_text_atomically(target, text)
        return target
