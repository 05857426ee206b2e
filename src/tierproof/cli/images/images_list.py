"""`tierproof images list`."""

from __future__ import annotations

import sys

import click

from tierproof.cli.terminal.echo_result import echo_result


@click.command("list", short_help="List the stored images.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def list_stored(*, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - main reads --debug
    """List the stored images, the newest first."""
    from tierproof.cli.terminal.print_table import print_table
    from tierproof.images.tell.image_listing import TITLES, make_listing

    listing = make_listing()
    if as_json or not listing.images or not sys.stdout.isatty():
        echo_result(listing, as_json=as_json)
    else:
        print_table(TITLES, listing.rows, right=("packages",))
    return 0
