"""The options of commands that take an IMAGE, for what a bare freeze file does not tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., object])


def take_image_facts(command: _Command) -> _Command:
    """Add --python, --hardware and --platform to a command."""
    options = (
        click.option("--python", default="", metavar="3.12", help="Python of a freeze file."),
        click.option(
            "--hardware",
            type=click.Choice(("cpu", "gpu", "tpu")),
            default="cpu",
            show_default=True,
            help="Of a freeze file, or where the image's name does not tell.",
        ),
        click.option(
            "--platform",
            default="",
            metavar="linux-x86_64",
            help="Platform of a freeze file; that is the default.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command
