"""Run a notebook in a real kernel, and verify the deployment checklist item by item."""

from __future__ import annotations

import json
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tierproof._optional import require
from tierproof.errors import UsageError
from tierproof.guard.system.process import ProcessError
from tierproof.notebooks.base_files import BaseFiles, read_base_files
from tierproof.notebooks.build_notebook import build_notebook
from tierproof.notebooks.checked_notebook import CheckedNotebook, VerifiedItem
from tierproof.notebooks.deployment_checklist import CHECKLIST
from tierproof.notebooks.form_fields import fill_form
from tierproof.notebooks.notebook_run import NotebookRun
from tierproof.notebooks.read_recipe import NAMES, read_recipe
from tierproof.notebooks.run_notebook import run_cells, start_kernel


def check_notebook(
    path: Path | None,
    name: str,
    *,
    python: str,
    values: Mapping[str, Any] | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> CheckedNotebook:
    """Check the notebook in `path`, or the one that the recipe `name` builds.

    Args:
        path: of an `.ipynb`; None builds it.
        name: of the recipe.
        python: interpreter whose kernel runs it.
        values: for fields of its forms, for this run alone.
        on_step: called with the current step as text.

    Raises:
        UsageError: it is not a notebook.
        ProcessError: the kernel does not start, or a cell does not finish.
    """
    expected = build_notebook(read_recipe(name)) if name in NAMES else None
    if path is not None:
        notebook, problems = read_notebook(path)
    else:
        notebook, problems = build_notebook(read_recipe(name)), ()
    with tempfile.TemporaryDirectory(prefix="tierproof-notebook-") as folder:
        results = Path(folder) / "results"
        before = _read_base(python, on_step)
        evidence = NotebookRun(name, notebook, expected, problems)
        filled = json.loads(json.dumps(notebook))
        fill_form(filled, values or {})
        cells = NotebookRun(name, filled, None).code
        on_step(f"running {name}")
        with start_kernel(python, Path(folder), {"TIERPROOF_RESULTS": str(results)}) as kernel:
            ran = run_cells(kernel, cells)
        after = _read_base(python, on_step, before)
        evidence = NotebookRun(
            name, notebook, expected, problems, ran, before, after, _read_report(results / "report.json")
        )
    items = tuple(VerifiedItem(item, item.verify(evidence)) for item in CHECKLIST)
    return CheckedNotebook(str(path or name), items, ran, before.list_added(after))


def read_notebook(path: Path) -> tuple[Any, tuple[str, ...]]:
    """Read a notebook file, and list the problems that nbformat finds in it.

    Raises:
        UsageError: it cannot be read, or is not a notebook.
    """
    nbformat = require("nbformat", feature="to check notebooks")
    problems: list[str] = []
    notebook: Any = {}
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=nbformat.NO_CONVERT)
            nbformat.validate(notebook)
        problems += [str(each.message) for each in caught]
    except nbformat.ValidationError as error:
        problems.append(str(error).partition("\n")[0])
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror or error}",
            hint="Check that this file exists and that you may read it.",
        ) from error
    except (ValueError, nbformat.reader.NotJSONError) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(f"{path} is not a notebook ({reason})", hint="Pass an .ipynb file.") from error
    if not isinstance(notebook.get("cells"), list):
        raise UsageError(f"{path} is not a notebook: it has no list of cells", hint="Pass an .ipynb file.")
    return notebook, tuple(problems)


def _read_base(python: str, on_step: Callable[[str], None], before: BaseFiles | None = None) -> BaseFiles:
    on_step("hashing the installed files")
    try:
        return read_base_files(python, before)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        printed = getattr(error, "stderr", None) or ""
        told = printed.decode(errors="replace") if isinstance(printed, bytes) else printed
        last = told.strip().rpartition("\n")[2]
        raise ProcessError(
            f"cannot list what is installed in {python}: {last or error}",
            hint="Check that this Python starts.",
        ) from error


def _read_report(path: Path) -> Mapping[str, Any] | None:
    if not path.is_file():
        return None
    document: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document
