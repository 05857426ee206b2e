"""`tierproof list`."""

from __future__ import annotations

import click

from tierproof.cli.terminal.echo_result import echo_result


@click.command("list", short_help="List the added packages and the requests that added them.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def list_added(*, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - main reads --debug
    """List the packages that tierproof added to this environment, and the requests that added them."""
    from tierproof.guard.operations.history_listing import list_additions

    echo_result(list_additions(), as_json=as_json)
    return 0
