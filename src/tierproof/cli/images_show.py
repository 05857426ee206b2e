"""`tierproof images show IMAGE`."""

from __future__ import annotations

import click


@click.command(short_help="Show what is installed on an image.")
@click.argument("image")
@click.option("--python", metavar="3.X", default="", help="The Python of a freeze file.")
@click.option("--all", "everything", is_flag=True, help="Every package, not the notable ones alone.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def show(image: str, *, python: str, everything: bool, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - main reads --debug
    """Show what is installed on IMAGE: colab:2026.07, colab:2026.07-gpu, here, or a freeze file."""
    from tierproof.cli.echo_result import echo_document
    from tierproof.images.open_packages import open_packages

    packages = open_packages(image, python=python)
    echo_document(packages.to_dict(), packages.to_text(everything=everything), as_json=as_json)
    return 0
