"""`tierproof images show IMAGE`."""

from __future__ import annotations

import click

from tierproof.cli.images.image_options import take_image_facts
from tierproof.cli.terminal.echo_result import echo_result


@click.command(short_help="Show one image: Python, system, packages.")
@click.argument("image", metavar="IMAGE")
@take_image_facts
@click.option(
    "--json", "as_json", is_flag=True, help="Print the image, with every package, as one JSON document."
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def show(*, image: str, python: str, hardware: str, platform: str, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - main reads --debug
    """Show an image: its Python, system and date, its notable packages, and skipped lines of its list."""
    from tierproof.images.store.resolve_image import open_image
    from tierproof.images.tell.image_summary import ImageSummary

    contents = open_image(image, python=python, hardware=hardware, platform=platform)
    echo_result(ImageSummary(contents), as_json=as_json)
    return 0
