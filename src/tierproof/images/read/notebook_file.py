"""The code cells of a notebook file, read without running anything."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tierproof.errors import UsageError

_FORMAT = 4
_RESAVE = "Open it in a current Jupyter or Colab and save it again."


@dataclass(frozen=True, slots=True)
class CodeCell:
    """A code cell: its number among all cells, from 1, and its text."""

    number: int
    source: str


def read_notebook(path: Path) -> tuple[CodeCell, ...]:
    """Read the code cells of `path`.

    Raises:
        UsageError: it cannot be read, or is not a notebook in format 4.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror or error}",
            hint="Check that this file exists and that you may read it.",
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not a notebook: it is not UTF-8 text", hint="Pass an .ipynb file."
        ) from error
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{path} is not a notebook ({_describe(text, error)})", hint=_advise(text)
        ) from error
    return _read_cells(document, path)


def _read_cells(document: Any, path: Path) -> tuple[CodeCell, ...]:
    major = document.get("nbformat") if isinstance(document, dict) else None
    if not isinstance(major, int):
        raise UsageError(
            f"{path} is JSON but not a notebook: it has no `nbformat`",
            hint="Pass an .ipynb file.",
        )
    if major < _FORMAT:
        raise UsageError(f"{path} is in the old notebook format {major}", hint=_RESAVE)
    if major > _FORMAT:
        raise UsageError(
            f"{path} is in notebook format {major}, which this version of tierproof cannot read",
            hint="Update tierproof, or save the notebook in format 4.",
        )
    cells = document.get("cells")
    if not isinstance(cells, list):
        raise UsageError(f"the notebook {path} has no list of cells", hint=_RESAVE)
    return tuple(
        CodeCell(number, source)
        for number, cell in enumerate(cells, 1)
        if isinstance(cell, dict)
        and cell.get("cell_type") == "code"
        and (source := _join(cell.get("source")))
    )


def _join(source: object) -> str:
    """The text of a cell: a string, or a list of lines with their ends."""
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def _describe(text: str, error: Exception) -> str:
    if not text.strip():
        return "the file is empty"
    if text.lstrip()[:1] == "<":
        return "it is an HTML or XML page"
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    return "it is not JSON"


def _advise(text: str) -> str:
    if text.lstrip()[:1] == "<":
        return "Download the .ipynb file itself (the raw file), not the web page that shows it."
    return "Save or download it again; the file may be incomplete."
