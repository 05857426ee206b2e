"""`tierproof images sync`."""

from __future__ import annotations

import click


@click.command(short_help="Fetch the images that Google publishes, or those of another source.")
@click.option(
    "--from",
    "source",
    metavar="DIR_OR_URL",
    default="",
    help="A folder or URL with an index.json, or a git repository laid out as googlecolab/backend-info.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def sync(*, source: str, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - main reads --debug
    """Fetch what is new: the runtimes that a notebook can be pinned to, and the last image of each month.

    What is there already is not fetched again; what an interrupted sync has fetched is kept. The images lie
    in the folder that $TIERPROOF_IMAGES names, else in your data folder.

    Exit codes: 0 = up to date, 1 = something was refused, 2 = the source could not be read.
    """
    from tierproof.cli.echo_result import echo_document
    from tierproof.cli.show_steps import open_steps
    from tierproof.images.sync_images import sync_images

    with open_steps(quiet=as_json) as step:
        result = sync_images(source, on_step=step)
    echo_document(result.to_dict(), result.to_text(), as_json=as_json)
    return result.exit_code
