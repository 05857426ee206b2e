"""`tierproof audit FILE.py:NAME`."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import click

from tierproof.cli.terminal.deliver_report import deliver_report


@click.command(short_help="Audit a training step.")
@click.argument("target", metavar="FILE.py:NAME")
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Seed of the steps."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON document.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Write the report here too: .html .json .md .xml .txt. Repeatable.",
)
@click.option("--quiet", is_flag=True, help="Show no progress and no notes.")
def audit(target: str, seed: int, as_json: bool, output: tuple[Path, ...], quiet: bool) -> int:
    """Audit a training step: run at most thirty steps and judge them by exact rules.

    NAME is a dict of the arguments of tierproof.audit, or a function that returns one:
    {"step": step, "batches": batches}. step(batch) does one whole training step and returns its loss.

    Exit codes: 0 = passed, 1 = failed, 2 = could not be checked.
    """
    from tierproof._optional import require
    from tierproof.cli.audit.load_arguments import load_arguments
    from tierproof.cli.check.output_paths import require_writable
    from tierproof.reporters.register import register_all

    register_all()
    outputs = list(dict.fromkeys(output))
    require_writable(outputs)
    require("torch", feature="to audit a training step")
    from tierproof.api.audit.audit import audit as run

    with contextlib.redirect_stdout(sys.stderr):  # what the user's file prints is no result
        arguments, scope = load_arguments(target, seed)
        with scope:
            report = run(**{"seed": seed, **arguments}, progress=not quiet, target=target)
    deliver_report(report, outputs, as_json=as_json, quiet=quiet)
    return report.verdict.exit_code
