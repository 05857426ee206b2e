"""`tierproof install REQ…`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tierproof.cli.packages.install_options import take_install_options
from tierproof.cli.terminal.echo_result import echo_document, echo_result
from tierproof.cli.terminal.show_steps import open_steps


@click.command(short_help="Add packages without changing what is installed.")
@click.argument("requirements", metavar="REQ…", nargs=-1)
@click.option(
    "-r",
    "--requirement",
    "files",
    metavar="FILE",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read requirements from FILE.",
)
@click.option(
    "--extra",
    "extras",
    metavar="EXTRA",
    multiple=True,
    help="Add what tierproof itself can use: tier2 is captum, for integrated gradients.",
)
@take_install_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def install(
    requirements: tuple[str, ...],
    *,
    files: tuple[Path, ...],
    extras: tuple[str, ...],
    as_json: bool,
    debug: bool,  # noqa: ARG001 - main reads --debug
    **given: Any,
) -> int:
    """Add packages in a folder beside what is installed. No installed file changes.

    \b
    REQ is written as for pip: captum, 'optuna>=4', 'ray[tune]', 'name @ URL', ./package.whl

    The request is planned first (see `tierproof plan`). Running notebooks are not affected; new processes
    see the packages. In a notebook, tp.install("REQ") makes them importable at once.

    Exit codes: 0 = done, 1 = refused (the plan says why), 2 = could not be done or checked.
    """
    from tierproof.api.packages.install import install_for_new_processes
    from tierproof.api.packages.install_options import read_keywords, read_requirements
    from tierproof.guard.judge.plan_refused import PlanRefused

    wanted = read_requirements(requirements, files, extras)
    try:
        with open_steps(quiet=as_json) as show:
            receipt = install_for_new_processes(*wanted, on_step=show, **read_keywords(given))
    except PlanRefused as error:
        if as_json:
            plan = error.plan.to_dict()
            echo_document(
                {"format_version": 1, "action": "install", "ok": False, "plan": plan}, "", as_json=True
            )
        raise
    echo_result(receipt, as_json=as_json)
    return 0
