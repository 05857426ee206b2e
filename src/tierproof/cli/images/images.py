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


@click.group(short_help="List, fetch and compare what hosted images contain.")
def images() -> None:
    """Store the package lists of hosted images, show them and compare them.

    \b
    IMAGE is one of
      colab:2026.07        a pinned CPU runtime; append -gpu or -tpu for other hardware
      colab:2026-08        the last image of a month; colab:latest is the newest
      NAME                 a name that you gave to `tierproof images add`
      ./freeze.txt         a file with the output of `pip freeze`
      here                 this interpreter

    Lists are stored in $TIERPROOF_IMAGES, else in your data folder. Run `tierproof images sync` to fetch Colab's.
    """


for command in (list_stored, sync, show, diff, add, timeline, watch):
    images.add_command(command)
