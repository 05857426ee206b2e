"""`tierproof gc`."""

from __future__ import annotations

import click

from tierproof.cli.terminal.echo_result import echo_result


@click.command(short_help="Remove folders of earlier added packages that no running process uses.")
@click.option(
    "--keep",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="How many earlier states to keep for `tierproof rollback`.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was removed as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def gc(*, keep: int, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - main reads --debug
    """Remove folders of earlier added packages that no running process uses."""
    from tierproof.guard.operations.collect_garbage import collect_garbage

    echo_result(collect_garbage(keep=keep), as_json=as_json)
    return 0
