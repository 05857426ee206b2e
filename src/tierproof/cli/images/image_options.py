"""The options of commands that take an IMAGE, for facts that a freeze file does not contain."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., object])


def take_image_facts(command: _Command) -> _Command:
    """Add --python, --hardware and --platform to a command."""
    options = (
        click.option(
            "--python", default="", metavar="3.12", help="Python version of a file given as IMAGE or FILE."
        ),
        click.option(
            "--hardware",
            type=click.Choice(("cpu", "gpu", "tpu")),
            default="cpu",
            show_default=True,
            help="Hardware of that file, or of IMAGE if its name has no -gpu or -tpu.",
        ),
        click.option(
            "--platform",
            default="",
            metavar="linux-x86_64",
            help="Platform of that file; linux-x86_64 by default.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command
