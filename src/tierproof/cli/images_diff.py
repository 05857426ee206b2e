"""`tierproof images diff A B`."""

from __future__ import annotations

import click


@click.command(short_help="Show what moved between two images.")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--python", metavar="3.X", default="", help="The Python of a freeze file.")
@click.option("--native", is_flag=True, help="Ask the index which of the moved packages ship native code.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def diff(before: str, after: str, *, python: str, native: bool, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - main reads --debug
    """Show what moved between images A and B; either may be `here`.

    Exit codes: 0 = the same, 1 = something moved, 2 = one of them cannot be read.
    """
    from tierproof.cli.echo_result import echo_document
    from tierproof.images.image_diff import diff_images
    from tierproof.images.native_packages import find_native_packages
    from tierproof.images.open_packages import open_packages

    first, second = open_packages(before, python=python), open_packages(after, python=python)
    found = diff_images(first, second)
    if native:
        moved = {each.name: each.after for each in found.moved}
        found = diff_images(first, second, find_native_packages(moved, second.python))
    echo_document(found.to_dict(), found.to_text(), as_json=as_json)
    return 1 if found.moved or found.added or found.removed else 0
