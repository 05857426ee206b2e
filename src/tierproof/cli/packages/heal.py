"""`tierproof heal`."""

from __future__ import annotations

import click

from tierproof.cli.terminal.echo_result import echo_document


@click.command(short_help="Put the loaded versions of replaced packages back on disk, without a restart.")
@click.option("--pid", type=click.IntRange(min=1), metavar="N", help="Repair only process N.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def heal(pid: int | None, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - debug: read by main
    """Put back the package versions that running processes have loaded and an installer has replaced.

    Without --pid, each of your Python processes in this environment is repaired. A package is skipped
    if another of your processes has loaded the version that is on disk now. A package that is damaged on
    disk and that no process has loaded must be installed again; the command to do so is printed.

    In a notebook, tp.heal() does the same for the kernel itself.

    Exit codes: 0 = healthy, 1 = some package could not be repaired, 2 = could not be checked.
    """
    from tierproof.guard.mend.heal import heal_process
    from tierproof.guard.mend.heal_environment import heal_environment

    healing = heal_environment() if pid is None else heal_process(pid)
    echo_document(healing.to_dict(), healing.to_text(), as_json=as_json)
    return healing.exit_code
