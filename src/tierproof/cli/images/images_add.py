"""`tierproof images add FILE --name NAME`."""

from __future__ import annotations

from pathlib import Path

import click

from tierproof.cli.images.image_options import take_image_facts
from tierproof.cli.terminal.echo_result import echo_result
from tierproof.cli.terminal.echo_text import echo_text


@click.command(short_help="Store the output of `pip freeze` as an image.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name of the new image.")
@take_image_facts
@click.option("--replace", is_flag=True, help="Replace the image of this name and hardware.")
@click.option("--json", "as_json", is_flag=True, help="Print what was added as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def add(
    *,
    file: Path,
    name: str,
    python: str,
    hardware: str,
    platform: str,
    replace: bool,
    as_json: bool,
    debug: bool,  # noqa: ARG001 - main reads --debug
) -> int:
    """Store FILE, the output of `pip freeze`, as an image. FILE may be `here`: the packages of this interpreter.

    Skipped lines are printed to stderr, each with the reason.

    Exit codes: 0 = added, 2 = the list or the name is not valid and nothing was changed.
    """
    from tierproof.images.store.add_image import add_image

    added = add_image(file, name=name, python=python, hardware=hardware, platform=platform, replace=replace)
    for line in added.describe_skipped():
        echo_text(line, err=True)
    echo_result(added, as_json=as_json)
    return 0
