"""`tierproof images …`. A new subcommand is one new file and one line here."""

from __future__ import annotations

import click

from tierproof.cli.images_add import add
from tierproof.cli.images_diff import diff
from tierproof.cli.images_list import list_stored
from tierproof.cli.images_show import show
from tierproof.cli.images_sync import sync
from tierproof.cli.images_timeline import timeline
from tierproof.cli.images_watch import watch


@click.group(short_help="Hosted images: what is installed on Colab, now and before.")
def images() -> None:
    """Hosted images: what is installed on Colab, now and before.

    An image is the list of packages of a hosted runtime with its Python. `tierproof plan --image` and
    `tierproof preflight` tell what an install does there.
    """


images.add_command(list_stored)
images.add_command(sync)
images.add_command(show)
images.add_command(diff)
images.add_command(add)
images.add_command(timeline)
images.add_command(watch)
