"""What the check of a notebook found, item by item."""

from __future__ import annotations

from dataclasses import dataclass

from tierproof.core.json_value import JsonValue
from tierproof.notebooks.deployment_checklist import ChecklistItem
from tierproof.notebooks.notebook_run import CellRun

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class VerifiedItem:
    """One item of the checklist; `problem` is empty where it holds."""

    item: ChecklistItem
    problem: str

    def to_dict(self) -> dict[str, JsonValue]:
        """Give it as JSON."""
        return {
            "name": self.item.name,
            "text": self.item.text,
            "ok": not self.problem,
            "problem": self.problem,
        }


@dataclass(frozen=True, slots=True)
class CheckedNotebook:
    """One notebook that was run and verified.

    Attributes:
        name: of the notebook, or its path.
        items: of the checklist, in its order.
        cells: how its code cells ran.
        added: distributions that the run added beside the base.
    """

    name: str
    items: tuple[VerifiedItem, ...]
    cells: tuple[CellRun, ...]
    added: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """True where every item holds."""
        return all(not verified.problem for verified in self.items)

    def to_dict(self) -> dict[str, JsonValue]:
        """Give it as JSON."""
        return {
            "name": self.name,
            "ok": self.ok,
            "seconds": sum(cell.seconds for cell in self.cells),
            "items": [verified.to_dict() for verified in self.items],
            "cells": [cell.to_dict() for cell in self.cells],
            "added": list(self.added),
        }

    def describe(self) -> str:
        """Give it as one line for each item."""
        seconds = sum(cell.seconds for cell in self.cells)
        lines = [f"{self.name}: {'ready' if self.ok else 'NOT ready'} ({seconds:.0f} s)"]
        for verified in self.items:
            mark = "✗" if verified.problem else "✓"
            lines.append(f"  {mark} {verified.item.text}")
            if verified.problem:
                lines.append(f"      {verified.problem}")
        if self.added:
            lines.append(f"  packages added by the run: {', '.join(self.added)}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class NotebookCheck:
    """The result of `tierproof notebook check`."""

    notebooks: tuple[CheckedNotebook, ...]

    @property
    def exit_code(self) -> int:
        """0 = all are ready, 1 = not all."""
        return 0 if all(notebook.ok for notebook in self.notebooks) else 1

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the `--json` document."""
        return {
            "format_version": FORMAT_VERSION,
            "ok": self.exit_code == 0,
            "notebooks": [notebook.to_dict() for notebook in self.notebooks],
        }

    def describe(self) -> str:
        """Give it as plain text."""
        return "\n\n".join(notebook.describe() for notebook in self.notebooks)
