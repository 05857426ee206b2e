"""`tierproof uninstall PKG…`."""

from __future__ import annotations

import click

from tierproof.cli.terminal.echo_result import echo_result


@click.command(short_help="Take added packages away.")
@click.argument("names", metavar="PKG…", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def uninstall(names: tuple[str, ...], *, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - main reads --debug
    """Make a generation without PKG, and without what was added only because of it.

    What is installed otherwise is never touched. `tierproof rollback` brings it back.
    """
    from tierproof.guard.operations.uninstall import uninstall_packages

    echo_result(uninstall_packages(names, in_process=False), as_json=as_json)
    return 0
