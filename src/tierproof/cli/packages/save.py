"""`tierproof save DIR`."""

from __future__ import annotations

from pathlib import Path

import click

from tierproof.cli.terminal.echo_result import echo_result


@click.command(short_help="Write the lock and the archive that `recover` reads.")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print what was written as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def save(folder: Path, *, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - main reads --debug
    """Write what was added to DIR, which may lie on a mounted drive: a pylock.toml and an archive."""
    from tierproof.guard.operations.save import save_generation

    echo_result(save_generation(folder), as_json=as_json)
    return 0
