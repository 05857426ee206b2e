"""`tierproof images watch`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Report what stopped working on new images. Meant to run on a schedule.")
@click.argument("words", metavar="CONFIG.toml|TARGET…", nargs=-1, required=True)
@click.option(
    "--image", "images", metavar="IMAGE", multiple=True, help="Image for TARGETs; the newest by default."
)
@click.option(
    "--report",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("tierproof-watch"),
    show_default=True,
    help="Folder of the dated reports. The new report is compared with the latest one in it.",
)
@click.option(
    "--from",
    "source",
    metavar="DIR_OR_URL",
    default="",
    help="Where new images are fetched, as in `tierproof images sync --from`.",
)
@click.option("--no-sync", is_flag=True, help="Use the stored images, and fetch no new ones.")
@click.option("--exclude-newer", metavar="DATE", default="", help="Ignore releases uploaded after DATE.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def watch(
    words: tuple[str, ...],
    *,
    images: tuple[str, ...],
    report: Path,
    source: str,
    no_sync: bool,
    exclude_newer: str,
    as_json: bool,
    debug: bool,  # noqa: ARG001 - main reads --debug
) -> int:
    """Sync the images, judge your subscriptions, and report what has changed since the last report.

    \b
    CONFIG.toml holds subscriptions:
        [[subscribe]]
        name = "demo"
        targets = ["demo.ipynb", "requirements.txt", "captum"]
        images = ["colab:latest", "colab:latest-gpu", "colab:2026.07"]

    The report of the day is written to DIR as JSON and Markdown.

    Exit codes: 0 = nothing stopped working, 1 = something did, 2 = something could not be judged.
    """
    from tierproof.api.images.watch_images import watch as watch_over
    from tierproof.cli.terminal.echo_result import echo_document
    from tierproof.cli.terminal.echo_text import echo_text
    from tierproof.cli.terminal.show_steps import open_steps

    with open_steps(quiet=as_json) as step:
        found = watch_over(
            words,
            images=images,
            report=report,
            sync_from=None if no_sync else source,
            exclude_newer=exclude_newer,
            on_step=step,
        )
    echo_document(found.to_dict(), found.to_text(), as_json=as_json)
    if not as_json:
        echo_text(f"written to {report / found.date}.json and .md", err=True)
    return found.exit_code
