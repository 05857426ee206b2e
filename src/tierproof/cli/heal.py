"""`tierproof heal --pid N`."""

from __future__ import annotations

import click


@click.command(short_help="Mend a torn process without a restart.")
@click.option("--pid", type=click.IntRange(min=1), metavar="N", required=True, help="The process to mend.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def heal(pid: int, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - debug: read by main
    """Put back on disk what process N has loaded and an installer has replaced.

    Refused for a package of which another of your processes has loaded what is on disk now. In a notebook,
    tp.heal() does the same for the kernel itself.

    Exit codes: 0 = mended, 1 = something is torn still, 2 = could not judge.
    """
    from tierproof.guard.heal import heal_process

    healing = heal_process(pid)
    if as_json:
        import json

        click.echo(json.dumps(healing.to_dict(), indent=2, allow_nan=False))
    else:
        click.echo(healing.to_text())
    return healing.exit_code
