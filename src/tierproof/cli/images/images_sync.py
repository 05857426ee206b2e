"""`tierproof images sync`."""

from __future__ import annotations

import click

from tierproof.cli.terminal.echo_result import echo_result
from tierproof.cli.terminal.interruption import Interrupted


@click.command(short_help="Fetch the lists of Colab's images.")
@click.option(
    "--from",
    "source",
    default="",
    metavar="DIR_OR_URL",
    help="A folder or an http(s) URL with an index.json, or a git repository like the public one, "
    "googlecolab/backend-info, which is the default ($TIERPROOF_IMAGES_URL overrides it).",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def sync(*, source: str, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - main reads --debug
    """Fetch what the source has and the folder of images lacks. Every list is verified before it is stored.

    From the public repository come the pinned runtimes (colab:2026.07) and, for each month, the last list
    (colab:2026-08), on each hardware. Without git only the latest lists and the pinned ones can be had.

    An interruption keeps what was fetched; run it again to go on.

    Exit codes: 0 = all that is offered is stored, 1 = something was refused and is named, 2 = no source.
    """
    from tierproof.cli.terminal.show_progress import LineDisplay, open_display
    from tierproof.images.store.open_source import open_source
    from tierproof.images.store.sync_images import sync_images

    try:
        with open_display(quiet=as_json) as display:

            def show(done: int, total: int, name: str) -> None:
                if total == 0 and isinstance(display, LineDisplay):
                    display.write(f"{name}\n")
                display.show(done, total, name)

            report = sync_images(open_source(source), on_progress=show)
    except (Interrupted, KeyboardInterrupt):
        click.echo("What was fetched is kept: run `tierproof images sync` again to go on.", err=True)
        raise
    echo_result(report, as_json=as_json)
    return report.exit_code
