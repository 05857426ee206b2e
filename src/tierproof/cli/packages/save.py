"""`tierproof save DIR`."""

from __future__ import annotations

from pathlib import Path

import click

from tierproof.cli.terminal.echo_result import echo_result


@click.command(short_help="Save added packages for `recover`: a lock and an archive.")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def save(folder: Path, *, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - main reads --debug
    """Save the added packages to DIR as a pylock.toml and an archive. DIR may be on a mounted drive."""
    from tierproof.api.packages.save import save as save_added

    echo_result(save_added(folder), as_json=as_json)
    return 0
