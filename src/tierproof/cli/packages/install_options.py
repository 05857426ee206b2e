"""The options of an install as click takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from tierproof.api.packages.install_options import INSTALL_OPTIONS

Command = TypeVar("Command", bound=Callable[..., object])


def take_install_options(command: Command) -> Command:
    """Give a command the options of an install; each arrives under its keyword of `tp.install`."""
    for option in reversed(INSTALL_OPTIONS):
        if option.takes:
            add = click.option(
                option.flag, option.keyword, metavar=option.takes, multiple=True, help=option.help
            )
        else:
            add = click.option(option.flag, option.keyword, is_flag=True, help=option.help)
        command = add(command)
    return command
