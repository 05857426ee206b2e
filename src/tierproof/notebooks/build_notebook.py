"""Build a notebook from its recipe: the same bytes in every build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tierproof._optional import require
from tierproof.core.atomic_write import write_text_atomically
from tierproof.errors import OutputError
from tierproof.notebooks.read_recipe import read_recipes
from tierproof.notebooks.recipe import Cell, CellKind, Recipe

_FEATURE = "to build notebooks"


def build_notebook(recipe: Recipe) -> Any:
    """Give the notebook of a recipe as a valid node of nbformat.

    Raises:
        MissingPackageError: nbformat is not installed.
    """
    nbformat = require("nbformat", feature=_FEATURE)
    notebook = nbformat.v4.new_notebook(
        cells=[_make_cell(nbformat, cell) for cell in recipe.cells],
        metadata={
            "colab": {"name": f"{recipe.name}.ipynb", "provenance": [], "toc_visible": True},
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
    )
    notebook.nbformat_minor = 5
    nbformat.validate(notebook)
    return notebook


def format_notebook(recipe: Recipe) -> str:
    """Give the text of its file."""
    nbformat = require("nbformat", feature=_FEATURE)
    return str(nbformat.writes(build_notebook(recipe))).rstrip("\n") + "\n"


def write_notebooks(folder: Path) -> tuple[Path, ...]:
    """Write every notebook into `folder`.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot create {folder}: {error.strerror or error}", hint="Name a folder that you may write to."
        ) from error
    written = []
    for recipe in read_recipes():
        path = folder / f"{recipe.name}.ipynb"
        write_text_atomically(path, format_notebook(recipe))
        written.append(path)
    return tuple(written)


def find_outdated(folder: Path) -> tuple[str, ...]:
    """Name the notebooks in `folder` that are missing or differ from their recipes."""
    outdated = []
    for recipe in read_recipes():
        path = folder / f"{recipe.name}.ipynb"
        if not path.is_file():
            outdated.append(f"{path} is missing")
        elif path.read_text(encoding="utf-8") != format_notebook(recipe):
            outdated.append(f"{path} differs from its recipe")
    return tuple(outdated)


def _make_cell(nbformat: Any, cell: Cell) -> Any:
    if cell.kind is CellKind.MARKDOWN:
        return nbformat.v4.new_markdown_cell(cell.source, id=cell.id)
    # Colab folds the code of such a cell away; elsewhere it is an ordinary cell.
    metadata = {"cellView": "form"} if cell.form else {}
    return nbformat.v4.new_code_cell(cell.source, id=cell.id, metadata=metadata)
