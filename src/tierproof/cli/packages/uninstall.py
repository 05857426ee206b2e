"""`tierproof uninstall PKG…`."""

from __future__ import annotations

import click

from tierproof.cli.terminal.echo_result import echo_result


@click.command(short_help="Remove added packages.")
@click.argument("names", metavar="PKG…", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def uninstall(names: tuple[str, ...], *, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - main reads --debug
    """Remove PKG, and the packages that were added only because of it.

    Only packages that tierproof added are removed. `tierproof rollback` restores them.
    """
    from tierproof.api.packages.uninstall import uninstall_for_new_processes

    echo_result(uninstall_for_new_processes(names), as_json=as_json)
    return 0
