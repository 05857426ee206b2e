"""`tierproof notebook check [NOTEBOOK]`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from tierproof.cli.terminal.echo_result import echo_result
from tierproof.cli.terminal.show_steps import open_steps
from tierproof.errors import UsageError


@click.command(short_help="Run a notebook and verify the checklist in the notebook's first cell.")
@click.argument("notebook", required=False, metavar="[NOTEBOOK]")
@click.option(
    "--python",
    metavar="FILE",
    default=sys.executable,
    show_default="this one",
    help="Interpreter that runs the notebook.",
)
@click.option(
    "--set", "fields", metavar="NAME=VALUE", multiple=True, help="Value of a form field. Repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def check(
    notebook: str | None,
    *,
    python: str,
    fields: tuple[str, ...],
    as_json: bool,
    debug: bool,  # noqa: ARG001 - main reads --debug
) -> int:
    """Run NOTEBOOK from top to bottom and verify each item of the checklist in the notebook's first cell.

    NOTEBOOK is an .ipynb file, or validate, quickstart or rescue; by default all three are built and checked.

    Exit codes: 0 = ready, 1 = an item of the checklist fails, 2 = the notebook could not be run.
    """
    from tierproof.notebooks.check_notebook import check_notebook
    from tierproof.notebooks.checked_notebook import NotebookCheck
    from tierproof.notebooks.read_recipe import NAMES

    if notebook is None:
        targets: list[tuple[Path | None, str]] = [(None, name) for name in NAMES]
    elif notebook in NAMES:
        targets = [(None, notebook)]
    else:
        targets = [(Path(notebook), Path(notebook).stem)]
    values = dict(map(_read_field, fields))
    with open_steps(quiet=as_json) as show:
        found = NotebookCheck(
            tuple(
                check_notebook(path, name, python=python, values=values, on_step=show)
                for path, name in targets
            )
        )
    echo_result(found, as_json=as_json)
    return found.exit_code


def _read_field(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set {text} is not NAME=VALUE", hint="Write, for example, `--set source=path`.")
    return name.strip(), {"true": True, "false": False}.get(value.lower(), value)
