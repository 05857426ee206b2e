"""A recipe: the cells of a notebook as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CellKind(StrEnum):
    """What a cell holds."""

    MARKDOWN = "markdown"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        id: unique in its notebook, and the same in every build.
        kind: text or code.
        source: without a newline at its end.
        form: shown as a form where the host can, its code folded away.
    """

    id: str
    kind: CellKind
    source: str
    form: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """One notebook: its name, which is that of its file, and its cells."""

    name: str
    cells: tuple[Cell, ...]

    @property
    def code_cells(self) -> tuple[Cell, ...]:
        """Those that run."""
        return tuple(cell for cell in self.cells if cell.kind is CellKind.CODE)
