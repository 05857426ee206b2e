"""`tierproof recover [DIR]`."""

from __future__ import annotations

from pathlib import Path

import click

from tierproof.cli.terminal.echo_result import echo_result
from tierproof.cli.terminal.show_steps import open_steps


@click.command(short_help="Put back what was added, after a restart or on a fresh machine.")
@click.argument(
    "folder", metavar="[DIR]", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option(
    "--lock",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A copy of the lock that you trust; it vouches for the archive.",
)
@click.option("--trust", is_flag=True, help="Take the archive in DIR though nothing vouches for it.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def recover(
    folder: Path | None,
    *,
    lock: Path | None,
    trust: bool,
    as_json: bool,
    debug: bool,  # noqa: ARG001 - main reads --debug
) -> int:
    """Put back what was added: from what `tierproof save` wrote to DIR, or from this environment's own records.

    An archive is unpacked without any network. Where there is none, or it is for another Python, every
    package is installed anew, in exactly the version and with exactly the hashes of the lock.
    """
    from tierproof.guard.operations.recover import RecoverRequest
    from tierproof.guard.operations.recover import recover as recover_generation

    with open_steps(quiet=as_json) as show:
        receipt = recover_generation(RecoverRequest(folder, lock, trust, on_step=show))
    echo_result(receipt, as_json=as_json)
    return 0
