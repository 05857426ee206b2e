"""The command group. A new command is one new file and one line here."""

from __future__ import annotations

import click

from tierproof._version import __version__
from tierproof.cli.check import check
from tierproof.cli.doctor import doctor
from tierproof.cli.heal import heal
from tierproof.cli.plan import plan
from tierproof.cli.run import run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="tierproof", message="%(prog)s %(version)s")
def tierproof() -> None:
    """Check a transformer in a minute.

    Exit codes: 0 = sound, 1 = found wanting, 2 = could not judge.
    """


tierproof.add_command(check)
tierproof.add_command(plan)
tierproof.add_command(doctor)
tierproof.add_command(heal)
tierproof.add_command(run)
