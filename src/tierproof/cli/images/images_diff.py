"""`tierproof images diff A B`."""

from __future__ import annotations

import click

from tierproof.cli.images.image_options import take_image_facts
from tierproof.cli.terminal.echo_result import echo_document
from tierproof.cli.terminal.echo_text import echo_text
from tierproof.cli.terminal.show_steps import open_steps


@click.command(short_help="Compare two images.")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@take_image_facts
@click.option("--native", is_flag=True, help="Ask the package index which packages have native code.")
@click.option("--json", "as_json", is_flag=True, help="Print the difference as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def diff(
    *,
    before: str,
    after: str,
    python: str,
    hardware: str,
    platform: str,
    native: bool,
    as_json: bool,
    debug: bool,  # noqa: ARG001 - main reads --debug
) -> int:
    """Show what differs between images A and B: changed, added and removed packages, and the Python version.

    A change is major if the first part of the version differs, or the second part of 0.x. `native` marks packages
    with compiled code, `pure` those without; no mark means unknown. The list of an image shows this only for packages
    installed from a wheel URL. --native asks the package index about the others, once for each release.
    """
    from tierproof.images.store.resolve_image import open_image
    from tierproof.images.tell.compare_images import compare_images

    with open_steps(quiet=as_json) as show:
        first, second = (
            open_image(text, python=python, hardware=hardware, platform=platform) for text in (before, after)
        )
        if native:
            show("looking up which packages have native code")
        result = compare_images(first, second, ask_index=native)
    echo_document(result.to_dict(), result.to_text(), as_json=as_json)
    if not as_json and not native and any(item.native is None for item in result.changed):
        echo_text("Pass --native to ask the package index which of them have native code.", err=True)
    return 0
