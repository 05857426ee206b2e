"""`tierproof install REQ…`."""

from __future__ import annotations

from pathlib import Path

import click

from tierproof.cli.terminal.echo_result import echo_result
from tierproof.cli.terminal.show_steps import open_steps


@click.command(short_help="Add packages; nothing that is installed changes.")
@click.argument("requirements", metavar="REQ…", nargs=-1)
@click.option(
    "-r",
    "--requirement",
    "files",
    metavar="FILE",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A requirements file.",
)
@click.option("--allow-shadow", is_flag=True, help="Let other versions stand before what nobody has loaded.")
@click.option("--waive", metavar="PKG", multiple=True, help="Waive the bounds on this installed package.")
@click.option("--allow-aged", is_flag=True, help="Take a markedly older release where no newer one fits.")
@click.option(
    "--allow-build", metavar="PKG", multiple=True, help="Let this package be built; that runs its code."
)
@click.option("--no-trial", is_flag=True, help="Do not try the imports in a child process first.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def install(
    requirements: tuple[str, ...],
    *,
    files: tuple[Path, ...],
    allow_shadow: bool,
    waive: tuple[str, ...],
    allow_aged: bool,
    allow_build: tuple[str, ...],
    no_trial: bool,
    as_json: bool,
    debug: bool,  # noqa: ARG001 - main reads --debug
) -> int:
    """Add packages as a new generation, beside what is installed. No installed file changes.

    \b
    REQ is what pip reads: captum, 'optuna>=4', 'ray[tune]', 'name @ URL', ./package.whl

    What is asked for is planned first (see `tierproof plan`). A running notebook goes on as it is; new
    processes see the packages. In a notebook, tp.install("REQ") makes them usable at once.

    Exit codes: 0 = done, 1 = refused, with the plan, 2 = could not judge.
    """
    from packaging.utils import canonicalize_name

    from tierproof.guard.capture.loaded_distributions import find_loaded_by_live_processes
    from tierproof.guard.commands.requirements_file import read_requirements_file
    from tierproof.guard.judge.plan import Plan
    from tierproof.guard.judge.plan_refused import PlanRefused
    from tierproof.guard.operations.install import InstallRequest, install_requirements
    from tierproof.guard.stage.consent import Consent

    wanted = [*requirements, *(line for file in files for line in read_requirements_file(file))]
    consent = Consent(
        allow_shadow,
        allow_aged,
        frozenset(canonicalize_name(name) for name in waive),
        frozenset(canonicalize_name(name) for name in allow_build),
        not no_trial,
    )
    try:
        with open_steps(quiet=as_json) as show:
            receipt = install_requirements(
                InstallRequest(
                    tuple(wanted), consent, find_loaded_by_live_processes, in_process=False, on_step=show
                )
            )
    except PlanRefused as error:
        if as_json and isinstance(error.plan, Plan):
            import json

            document = {"format_version": 1, "action": "install", "ok": False, "plan": error.plan.to_dict()}
            click.echo(json.dumps(document, indent=2, allow_nan=False))
        raise
    echo_result(receipt, as_json=as_json)
    return 0
