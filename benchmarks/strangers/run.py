"""Install the packages, check every case, and give the table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from strangers.cases import CASES
from strangers.judgement import read_judgements
from strangers.package_folder import choose_folder, prepare_folder, read_pins
from strangers.summary import summarize
from strangers.sweep import sweep


def run(names: Sequence[str] = (), packages: Path | None = None, out: Path | None = None) -> tuple[str, bool]:
    """The table, and whether every bar is met.

    Args:
        names: of the cases; all of them when empty.
        packages: folder of the installed packages; by default one below the user's cache.
        out: file of the records, with which a run goes on where it stopped; by default beside the packages.
    """
    folder = packages or choose_folder()
    uninstalled = prepare_folder(folder, read_pins())
    records = sweep(names or list(CASES), folder, out or folder / "records.jsonl")
    return summarize(records, CASES, read_judgements(), uninstalled)
