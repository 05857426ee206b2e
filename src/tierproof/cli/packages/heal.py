"""`tierproof heal`."""

from __future__ import annotations

import click


@click.command(short_help="Mend torn processes without a restart.")
@click.option("--pid", type=click.IntRange(min=1), metavar="N", help="Mend process N alone.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def heal(pid: int | None, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - debug: read by main
    """Put back on disk what process N has loaded and an installer has replaced.

    Without --pid: for each of your live Python processes of this environment that is torn. Refused for a
    package of which another of your processes has loaded what is on disk now. What is damaged on disk and
    loaded by nobody has to be installed once more; the command is printed.

    In a notebook, tp.heal() does the same for the kernel itself.

    Exit codes: 0 = mended, 1 = something is torn still, 2 = could not judge.
    """
    from tierproof.guard.mend.heal import heal_process
    from tierproof.guard.mend.heal_environment import heal_environment

    healing = heal_environment() if pid is None else heal_process(pid)
    if as_json:
        import json

        click.echo(json.dumps(healing.to_dict(), indent=2, allow_nan=False))
    else:
        click.echo(healing.to_text())
    return healing.exit_code
