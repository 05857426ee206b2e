"""`tierproof images add FILE`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Store a freeze list as an image of your own.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="What it is called: lab:2026.07, my-server.")
@click.option("--python", metavar="3.X", default="", help="Its Python; needed where the list does not tell.")
@click.option("--hardware", type=click.Choice(("cpu", "gpu", "tpu")), default="cpu", show_default=True)
@click.option(
    "--platform",
    metavar="PLATFORM",
    default="linux-x86_64",
    show_default=True,
    help="Or linux-aarch64, or as uv names it.",
)
@click.option("--replace", is_flag=True, help="Take the place of an image of the same name.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def add(
    file: Path,
    *,
    name: str,
    python: str,
    hardware: str,
    platform: str,
    replace: bool,
    debug: bool,  # noqa: ARG001 - main reads --debug
) -> int:
    """Store FILE, what `pip freeze` printed on a machine, as an image of your own."""
    from tierproof.images.add_image import add_image

    packages = add_image(file, name, python=python, hardware=hardware, platform=platform, replace=replace)
    for line in packages.skipped:
        click.echo(f"left out: {line}", err=True)
    click.echo(f"{packages.label}: Python {packages.python}, {len(packages.versions)} packages")
    return 0
