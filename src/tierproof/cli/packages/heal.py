"""`tierproof heal`."""

from __future__ import annotations

import click


@click.command(short_help="Repair torn processes without a restart.")
@click.option("--pid", type=click.IntRange(min=1), metavar="N", help="Repair only process N.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def heal(pid: int | None, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - debug: read by main
    """Restore on disk the package versions that process N has loaded and an installer has replaced.

    Without --pid, every torn Python process of yours in this environment is repaired. A package is skipped
    if another of your processes has loaded the version that is on disk now. A package that is damaged on
    disk and that no process has loaded must be installed again; the command to do so is printed.

    In a notebook, tp.heal() does the same for the kernel itself.

    Exit codes: 0 = healthy, 1 = something is still torn, 2 = could not be checked.
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
