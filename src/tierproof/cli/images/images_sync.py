"""`tierproof images sync`."""

from __future__ import annotations

import click

from tierproof.cli.terminal.echo_result import echo_result
from tierproof.cli.terminal.echo_text import echo_text
from tierproof.cli.terminal.interruption import Interrupted
from tierproof.core.plain_text import clean_text


@click.command(short_help="Fetch the lists of Colab's images.")
@click.option(
    "--from",
    "source",
    default="",
    metavar="DIR_OR_URL",
    help=(
        "Where to fetch: a folder or URL with an index.json, or a git repository laid out like "
        "googlecolab/backend-info (the default; $TIERPROOF_IMAGES_URL overrides it)."
    ),
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def sync(*, source: str, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - main reads --debug
    """Fetch the image lists that are not stored yet. Every list is verified before it is stored.

    The public repository has the pinned runtimes (colab:2026.07) and the last list of each month (colab:2026-08),
    for each hardware. Without git, only the pinned and the latest lists can be fetched.

    If interrupted, run it again: lists that are stored already are not fetched twice.

    Exit codes: 0 = every offered list is stored, 1 = some lists were refused, 2 = the source cannot be used.
    """
    from tierproof.cli.terminal.show_progress import LineDisplay, open_display
    from tierproof.images.store.open_source import open_source
    from tierproof.images.store.sync_images import sync_images

    try:
        with open_display(quiet=as_json) as display:

            def show(done: int, total: int, name: str) -> None:
                if total == 0 and isinstance(display, LineDisplay):
                    display.write(clean_text(f"{name}\n"))
                display.show(done, total, name)

            report = sync_images(open_source(source), on_progress=show)
    except (Interrupted, KeyboardInterrupt):
        echo_text(
            "The lists fetched so far are kept. Run `tierproof images sync` again to continue.", err=True
        )
        raise
    echo_result(report, as_json=as_json)
    return report.exit_code
