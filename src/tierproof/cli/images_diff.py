"""`tierproof images diff A B`."""

from __future__ import annotations

import click

from tierproof.cli.image_options import take_image_facts
from tierproof.cli.show_steps import open_steps


@click.command(short_help="Compare two images.")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@take_image_facts
@click.option("--offline", is_flag=True, help="Do not ask the package index which packages have native code.")
@click.option("--json", "as_json", is_flag=True, help="Print the difference as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def diff(
    *,
    before: str,
    after: str,
    python: str,
    hardware: str,
    platform: str,
    offline: bool,
    as_json: bool,
    debug: bool,  # noqa: ARG001 - main reads --debug
) -> int:
    """Show what differs between images A and B: packages that moved, came or went, and the Python.

    A change is major where the first part of the version that is not zero differs. `native` marks packages
    with compiled code, which is read from the names of their wheels: the package index is asked, once for each
    release. `native?` marks those of which nobody tells.
    """
    from tierproof.images.compare_images import compare_images
    from tierproof.images.resolve_image import open_image

    with open_steps(quiet=as_json) as show:
        first, second = (
            open_image(text, python=python, hardware=hardware, platform=platform) for text in (before, after)
        )
        if not offline:
            show("looking up which packages have native code")
        result = compare_images(first, second, offline=offline)
    if as_json:
        import json

        click.echo(json.dumps(result.to_dict(), indent=2, allow_nan=False))
    else:
        click.echo(result.to_text())
    return 0
