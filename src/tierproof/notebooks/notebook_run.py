"""What is known of a notebook when its checklist is verified: the file, and how it ran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tierproof.core.json_value import JsonValue
from tierproof.notebooks.base_files import BaseFiles


@dataclass(frozen=True, slots=True)
class CellRun:
    """How one code cell ran.

    Attributes:
        id: of the cell.
        seconds: wall time.
        text: what it printed and showed, as text.
        html: what it showed as HTML, one entry for each output.
        error: its exception in one line; empty where there was none.
    """

    id: str
    seconds: float
    text: str = ""
    html: tuple[str, ...] = ()
    error: str = ""

    def to_dict(self) -> dict[str, JsonValue]:
        """Give it as JSON."""
        return {"id": self.id, "seconds": self.seconds, "text": self.text, "error": self.error}


@dataclass(frozen=True, slots=True)
class NotebookRun:
    """Everything that the checklist's items look at.

    Attributes:
        name: of the notebook.
        notebook: as it was read.
        expected: as the recipe of that name builds it; None where there is no such recipe.
        problems: what nbformat says against it.
        cells: how its code cells ran, in order.
        before: the base's files before the run.
        after: and after it.
        report: the document that the run left in its results folder; None where it left none.
    """

    name: str
    notebook: Mapping[str, Any]
    expected: Mapping[str, Any] | None
    problems: tuple[str, ...] = ()
    cells: tuple[CellRun, ...] = ()
    before: BaseFiles = field(default_factory=BaseFiles)
    after: BaseFiles = field(default_factory=BaseFiles)
    report: Mapping[str, Any] | None = None

    @property
    def seconds(self) -> float:
        """Wall time of all its cells."""
        return sum(cell.seconds for cell in self.cells)

    @property
    def code(self) -> dict[str, str]:
        """Source of every code cell by id."""
        return {
            str(cell.get("id", "")): str(cell.get("source", ""))
            for cell in self.notebook.get("cells", ())
            if cell.get("cell_type") == "code"
        }

    @property
    def first_text(self) -> str:
        """Source of the first cell."""
        cells = self.notebook.get("cells", ())
        return str(cells[0].get("source", "")) if cells else ""
