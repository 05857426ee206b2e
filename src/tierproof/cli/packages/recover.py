"""`tierproof recover [DIR]`."""

from __future__ import annotations

from pathlib import Path

import click

from tierproof.cli.terminal.echo_result import echo_result
from tierproof.cli.terminal.show_steps import open_steps


@click.command(short_help="Restore added packages after a restart or on a fresh machine.")
@click.argument(
    "folder", metavar="[DIR]", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option(
    "--lock",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A copy of the lock file (pylock.toml) that you trust; the archive is verified against it.",
)
@click.option("--trust", is_flag=True, help="Accept the archive in DIR without verifying it.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def recover(
    folder: Path | None,
    *,
    lock: Path | None,
    trust: bool,
    as_json: bool,
    debug: bool,  # noqa: ARG001 - main reads --debug
) -> int:
    """Restore added packages from what `tierproof save` wrote to DIR, or from this environment's own records.

    An archive is unpacked without network access. If there is none, or it is for another Python, every
    package is installed again in exactly the version and with exactly the hashes of the lock.
    """
    from tierproof.api.packages.recover import recover_for_new_processes

    with open_steps(quiet=as_json) as show:
        receipt = recover_for_new_processes(folder, lock=lock, trust=trust, on_step=show)
    echo_result(receipt, as_json=as_json)
    return 0
