"""`tierproof preflight TARGET… --image IMAGE…`."""

from __future__ import annotations

import click


@click.command(short_help="Check that a notebook or requirements install on hosted images.")
@click.argument("targets", metavar="TARGET…", nargs=-1, required=True)
@click.option(
    "--image",
    "images",
    metavar="IMAGE",
    multiple=True,
    required=True,
    help="Image to judge on, or `all` for every stored image. Repeatable.",
)
@click.option(
    "--python", metavar="3.X", default="", help="Python version of a file (`pip freeze`) given as IMAGE."
)
@click.option("--exclude-newer", metavar="DATE", default="", help="Ignore releases uploaded after DATE.")
@click.option(
    "--allow-build",
    metavar="PKG",
    multiple=True,
    help="Build the metadata of PKG, which runs its code. Repeatable.",
)
@click.option(
    "--build-metadata",
    is_flag=True,
    help="Build the metadata of every package that has no wheel, in a process with limits and without your secrets.",
)
@click.option("--offline", is_flag=True, help="Use stored answers only, however old.")
@click.option("--refresh", is_flag=True, help="Ignore stored answers.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def preflight(
    targets: tuple[str, ...],
    *,
    images: tuple[str, ...],
    python: str,
    exclude_newer: str,
    allow_build: tuple[str, ...],
    build_metadata: bool,
    offline: bool,
    refresh: bool,
    as_json: bool,
    debug: bool,  # noqa: ARG001 - main reads --debug
) -> int:
    """Check whether TARGET installs on IMAGE. Nothing is installed and no notebook is run.

    \b
    TARGET  requirements (captum 'optuna>=4'), a notebook (.ipynb), a requirements file (.txt, .in),
            or a lock (pylock.toml)
    IMAGE   colab:2026.07, colab:2026.07-gpu, a name from `tierproof images list`,
            a file with the output of `pip freeze`, here (this interpreter), all

    The verdicts are those of `tierproof plan`. The output also lists what plain pip would replace.

    Exit codes: 0 = everything installs safely, 1 = something does not, 2 = something is unknown.
    """
    from tierproof.api.images.preflight import judge_on_images
    from tierproof.cli.terminal.echo_result import echo_document
    from tierproof.cli.terminal.show_progress import open_display
    from tierproof.guard.resolve.resolve import EVERY_BUILD

    with open_display(quiet=as_json) as display:
        result = judge_on_images(
            targets,
            images,
            python=python,
            exclude_newer=exclude_newer,
            allow_build=(*allow_build, *([EVERY_BUILD] if build_metadata else [])),
            offline=offline,
            refresh=refresh,
            on_progress=display.show,
        )
    echo_document(result.to_dict(), result.to_text(), as_json=as_json)
    return result.exit_code
