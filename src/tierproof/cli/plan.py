"""`tierproof plan REQ…`."""

from __future__ import annotations

import click


@click.command(short_help="Show what an install would do.")
@click.argument("requirements", metavar="REQ…", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print the plan as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def plan(requirements: tuple[str, ...], *, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - main reads --debug
    """Show what an install would do. Nothing is installed.

    \b
    REQ is what pip reads: captum, 'optuna>=4', 'ray[tune]', 'name @ URL', ./package.whl

    \b
    satisfied   all of it is installed
    additive    packages are added, nothing that is installed changes
    shadow      another version would stand before one that no live process has loaded
    waiver      fits if the bounds it names are waived
    isolated    conflicts with what is loaded: runs in a worker of its own
    infeasible  no choice of versions serves it

    Exit codes: 0 = satisfied or additive, 1 = any other or markedly old, 2 = could not judge.
    """
    from tierproof.guard.environment_folder import locate_environment_folder
    from tierproof.guard.generation_store import GenerationStore
    from tierproof.guard.judge_plan import make_plan
    from tierproof.guard.loaded_distributions import find_loaded_by_live_processes
    from tierproof.guard.present_base import capture_present_base

    start = capture_present_base(GenerationStore(locate_environment_folder()), find_loaded_by_live_processes)
    result = make_plan(requirements, start.base)
    if as_json:
        import json

        click.echo(json.dumps(result.to_dict(), indent=2, allow_nan=False))
    else:
        click.echo(result.describe())
    return result.exit_code
