"""`tierproof images list`."""

from __future__ import annotations

import click


@click.command("list", short_help="List the stored images, the newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def list_stored(*, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - main reads --debug
    """List the stored images, the newest first.

    Names with a dot (colab:2026.07) are runtimes that a notebook can be pinned to; those with a dash
    (colab:2026-08) are what everybody got at the end of that month.
    """
    from tierproof.cli.echo_result import echo_document
    from tierproof.images.image_listing import ImageListing
    from tierproof.images.image_store import find_images_folder, list_images

    listing = ImageListing(str(find_images_folder()), list_images())
    echo_document(listing.to_dict(), listing.to_text(), as_json=as_json)
    return 0
