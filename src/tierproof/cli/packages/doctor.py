"""`tierproof doctor`."""

from __future__ import annotations

import click

from tierproof.cli.terminal.echo_result import echo_document


@click.command(short_help="Check whether a process runs other package versions than those on disk.")
@click.option("--pid", type=click.IntRange(min=1), metavar="N", help="Check process N.")
@click.option(
    "--snapshot",
    is_flag=True,
    help="Also keep a copy of the loaded packages, so that `tierproof heal` needs no network.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the diagnosis as one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def doctor(pid: int | None, snapshot: bool, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - debug: read by main
    """Check whether process N runs other package versions than those on disk, and say why and what repairs it.

    Without --pid, this environment's files are compared with each package's list of files (RECORD) and with the
    state that tierproof saw first, and your running Python processes that use the environment are checked. An
    upgrade of a package that no process had loaded is not reported.

    Exit codes: 0 = healthy, 1 = torn (another version in memory than on disk, or damaged files), 2 = could not be
    checked.
    """
    from tierproof.guard.mend.doctor import diagnose_environment, diagnose_process

    diagnosis = diagnose_environment() if pid is None else diagnose_process(pid)
    kept = None
    if snapshot:
        from tierproof.guard.mend.snapshot_process import snapshot_environment, snapshot_process

        kept = snapshot_environment() if pid is None else snapshot_process(pid)
    document = diagnosis.to_dict() | ({"snapshot": kept.to_dict()} if kept else {})
    text = "\n".join([diagnosis.to_text(), *([kept.to_text()] if kept else [])])
    echo_document(document, text, as_json=as_json)
    return diagnosis.exit_code
