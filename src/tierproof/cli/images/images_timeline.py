"""`tierproof images timeline REQ…`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Show on which images requirements install, over time.")
@click.argument("requirements", metavar="REQ…", nargs=-1, required=True)
@click.option(
    "--hardware",
    type=click.Choice(("cpu", "gpu", "tpu")),
    default="cpu",
    show_default=True,
    help="Hardware of the images.",
)
@click.option("--exclude-newer", metavar="DATE", default="", help="Ignore releases uploaded after DATE.")
@click.option("--offline", is_flag=True, help="Use stored answers only, however old.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Draw a figure: .svg, .png or .pdf.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def timeline(
    requirements: tuple[str, ...],
    *,
    hardware: str,
    exclude_newer: str,
    offline: bool,
    output: Path | None,
    as_json: bool,
    debug: bool,  # noqa: ARG001 - main reads --debug
) -> int:
    """Show the verdict of each REQ on every stored image for one kind of hardware, the oldest first.

    A verdict names the version that would be used, or the bound that conflicts. Each REQ is judged by itself,
    against the package index as of today or of --exclude-newer.

    Exit codes: 0 = done, 2 = something could not be judged.
    """
    from tierproof.api.images.timeline import make_timeline
    from tierproof.cli.terminal.echo_result import echo_document
    from tierproof.cli.terminal.show_progress import open_display

    with open_display(quiet=as_json) as display:
        found = make_timeline(
            requirements,
            hardware=hardware,
            exclude_newer=exclude_newer,
            offline=offline,
            on_progress=display.show,
        )
    echo_document(found.to_dict(), found.to_text(), as_json=as_json)
    if output is not None:
        from tierproof.plots.save_figure import save_figure
        from tierproof.plots.timeline import draw_timelines

        save_figure(draw_timelines(found), output)
    return 2 if any(point.verdict == "unknown" for line in found.lines for point in line.points) else 0
