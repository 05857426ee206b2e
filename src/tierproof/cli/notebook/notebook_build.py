"""`tierproof notebook build`."""

from __future__ import annotations

from pathlib import Path

import click

from tierproof.cli.terminal.echo_result import echo_document


@click.command(short_help="Write the notebooks from their recipes.")
@click.option(
    "--to",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("notebooks"),
    show_default="./notebooks",
    help="Folder of the .ipynb files.",
)
@click.option(
    "--check", "only_check", is_flag=True, help="Write nothing; check that the files are up to date."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def build(folder: Path, *, only_check: bool, as_json: bool, debug: bool) -> int:  # noqa: ARG001 - main reads --debug
    """Write validate.ipynb, quickstart.ipynb and rescue.ipynb, without outputs.

    Exit codes: 0 = written, or up to date; 1 = --check found an outdated file; 2 = it failed.
    """
    from tierproof.notebooks.build_notebook import find_outdated, write_notebooks

    if only_check:
        outdated = find_outdated(folder)
        lines = (
            [*outdated, "Run: tierproof notebook build"] if outdated else ["The notebooks are up to date."]
        )
        echo_document(
            {"format_version": 1, "ok": not outdated, "outdated": list(outdated)},
            "\n".join(lines),
            as_json=as_json,
        )
        return 1 if outdated else 0
    written = [str(path) for path in write_notebooks(folder)]
    echo_document(
        {"format_version": 1, "ok": True, "written": list(written)},
        "\n".join(f"wrote {path}" for path in written),
        as_json=as_json,
    )
    return 0
