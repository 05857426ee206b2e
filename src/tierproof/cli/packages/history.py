"""`tierproof history`."""

from __future__ import annotations

import click

from tierproof.cli.terminal.echo_result import echo_result


@click.command(short_help="List what was added and removed, and when.")
@click.option("--json", "as_json", is_flag=True, help="Print the history as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def history(*, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - main reads --debug
    """List every change, oldest first. `tierproof rollback N` goes back to entry N."""
    from tierproof.api.packages.history import history as list_history

    echo_result(list_history(), as_json=as_json)
    return 0
