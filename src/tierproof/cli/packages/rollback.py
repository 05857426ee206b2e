"""`tierproof rollback [N]`."""

from __future__ import annotations

import click

from tierproof.cli.terminal.echo_result import echo_result


@click.command(short_help="Go back to the packages of an earlier install.")
@click.argument("number", metavar="[N]", required=False, type=click.IntRange(min=1))
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def rollback(number: int | None, *, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - main reads --debug
    """Go back to entry N of the history, or to the previous entry.

    Running processes keep what they have; new processes see the earlier packages.
    """
    from tierproof.api.packages.rollback import rollback_for_new_processes

    echo_result(rollback_for_new_processes(number), as_json=as_json)
    return 0
