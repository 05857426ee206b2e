"""Notebooks in a kernel of a copy of the base, driven as a person drives them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tierproof.notebooks.form_fields import set_fields
from tierproof.notebooks.notebook_run import CellRun
from tierproof.notebooks.read_recipe import read_recipe
from tierproof.notebooks.run_notebook import NotebookKernel, start_kernel

STAND_IN = Path(__file__).parent / "google_colab"
TRACEBACK = "Traceback (most recent call last)"


@dataclass
class Runtime:
    """A machine as a hosted notebook gets it: an environment, a disk, and variables."""

    python: Path
    folder: Path
    wheel: Path
    colab: bool = False
    more: dict[str, str] = field(default_factory=dict)

    @property
    def results(self) -> Path:
        return self.folder / "content" / "tierproof-results"

    @property
    def variables(self) -> dict[str, str]:
        return {
            "TIERPROOF_SOURCE": str(self.wheel),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "PYTHONPATH": str(STAND_IN) if self.colab else "",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            "COLAB_STAND_IN": str(self.folder / "browser"),
            **self.more,
        }

    @contextlib.contextmanager
    def start(self) -> Iterator[NotebookKernel]:
        content = self.folder / "content"
        content.mkdir(parents=True, exist_ok=True)
        with start_kernel(str(self.python), content, self.variables) as kernel:
            yield kernel


def read_cells(name: str, values: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Sources of a notebook's code cells by id, with values in their forms."""
    return {cell.id: set_fields(cell.source, values or {}) for cell in read_recipe(name).code_cells}


def run_all(kernel: NotebookKernel, cells: Mapping[str, str]) -> dict[str, CellRun]:
    """Run every cell; none may end in an error, show a traceback or fill more than a screen."""
    ran = {}
    for identifier, source in cells.items():
        ran[identifier] = expect_fine(kernel.run(identifier, source))
    return ran


def expect_fine(cell: CellRun) -> CellRun:
    assert cell.error == "", f"{cell.id}: {cell.error}\n{cell.text}"
    assert TRACEBACK not in cell.text, cell.text
    assert cell.text.count("\n") < 40, cell.text
    return cell
