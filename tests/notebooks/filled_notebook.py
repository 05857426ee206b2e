"""A notebook file with values in its forms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tierproof.notebooks.build_notebook import build_notebook
from tierproof.notebooks.form_fields import fill_form
from tierproof.notebooks.read_recipe import read_recipe


def write_filled(name: str, values: Mapping[str, Any], path: Path) -> Path:
    import nbformat

    notebook = build_notebook(read_recipe(name))
    fill_form(notebook, values)
    nbformat.write(notebook, path)
    return path
