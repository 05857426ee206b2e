"""`tierproof images …`. A new subcommand is one new file `images_NAME.py` and one line here."""

from __future__ import annotations

import click

from tierproof.cli.images.images_add import add
from tierproof.cli.images.images_diff import diff
from tierproof.cli.images.images_list import list_stored
from tierproof.cli.images.images_show import show
from tierproof.cli.images.images_sync import sync
from tierproof.cli.images.images_timeline import timeline
from tierproof.cli.images.images_watch import watch


@click.group(short_help="Hosted images: what is installed there.")
def images() -> None:
    """Keep lists of what hosted images hold, look at them, and compare them.

    \b
    IMAGE is one of
      colab:2026.07        a pinned runtime; colab:2026.07-gpu and -tpu on other hardware
      colab:2026-08        the last list of a month; colab:latest is the newest
      NAME                 what `tierproof images add` was told
      ./freeze.txt         what `pip freeze` printed somewhere
      here                 this interpreter

    The lists lie in $TIERPROOF_IMAGES, or in your data folder. `tierproof images sync` fetches Colab's.
    """


for command in (list_stored, sync, show, diff, add, timeline, watch):
    images.add_command(command)
