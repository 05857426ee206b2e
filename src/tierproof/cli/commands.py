"""The command group. A new command is one new file and one line here."""

from __future__ import annotations

import click

from tierproof._version import __version__
from tierproof.cli.audit.audit import audit
from tierproof.cli.check.check import check
from tierproof.cli.check.explain import explain
from tierproof.cli.images.images import images
from tierproof.cli.images.preflight import preflight
from tierproof.cli.notebook.notebook import notebook
from tierproof.cli.packages.doctor import doctor
from tierproof.cli.packages.gc import gc
from tierproof.cli.packages.heal import heal
from tierproof.cli.packages.history import history
from tierproof.cli.packages.install import install
from tierproof.cli.packages.list import list_added
from tierproof.cli.packages.plan import plan
from tierproof.cli.packages.recover import recover
from tierproof.cli.packages.rollback import rollback
from tierproof.cli.packages.run import run
from tierproof.cli.packages.save import save
from tierproof.cli.packages.uninstall import uninstall


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", prog_name="tierproof", message="%(prog)s %(version)s")
def tierproof() -> None:
    """Check a PyTorch model in about a minute, and add packages to a running notebook without breaking it.

    Exit codes: 0 = passed, 1 = failed, 2 = could not be checked.
    """


tierproof.add_command(check)
tierproof.add_command(audit)
tierproof.add_command(explain)
tierproof.add_command(plan)
tierproof.add_command(preflight)
tierproof.add_command(images)
tierproof.add_command(install)
tierproof.add_command(uninstall)
tierproof.add_command(list_added)
tierproof.add_command(history)
tierproof.add_command(rollback)
tierproof.add_command(gc)
tierproof.add_command(save)
tierproof.add_command(recover)
tierproof.add_command(doctor)
tierproof.add_command(heal)
tierproof.add_command(run)
tierproof.add_command(notebook)
