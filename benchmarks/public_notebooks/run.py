"""Judge every notebook, compare with the truth, and give the table."""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from public_notebooks.compare import Comparison, compare
from public_notebooks.explanation import read_explanations
from public_notebooks.ghost import make_ghost
from public_notebooks.image_list import read_image_list
from public_notebooks.known_truth import read_day, read_truth, write_truth
from public_notebooks.notebook import Notebook, read_notebooks
from public_notebooks.preflight_runs import fetch_image, run_preflights
from public_notebooks.summary import summarize
from public_notebooks.truth import OUT_OF_TIME, work_out
from tierproof.images.base.loaded_set import list_loaded

LIST = "2026.07-gpu.txt"


def run(
    names: Sequence[str], texts: Path, folder: Path, lists: Path, *, again: bool = False
) -> tuple[str, bool]:
    """The table, and whether every bar is met.

    Args:
        names: parts of the names of the notebooks; all of them when empty.
        texts: folder of the notebooks' texts.
        folder: for answers, images and ghosts.
        lists: folder of the images' lists.
        again: judge also what is kept.
    """
    fetch_image(folder / "images", lists)
    wanted = choose(names)
    documents = run_preflights(wanted, texts, folder / "images", folder / "answers", again=again)
    truths, loaded = read_truth(), list_loaded()
    crashed = {name: each["crashed"] for name, each in documents.items() if "crashed" in each}
    undecided = [name for name, truth in truths.items() if any(OUT_OF_TIME in gap for gap in truth["gaps"])]
    compared: list[Comparison] = [
        compare(each, documents[each.name], truths[each.name], loaded)
        for each in wanted
        if each.name in documents and each.name in truths and each.name not in {*crashed, *undecided}
    ]
    return summarize(compared, crashed, read_explanations(), read_day(), undecided)


def renew_truth(names: Sequence[str], folder: Path, lists: Path, interpreter: str) -> None:
    """Ask pip again, in a ghost of the image, and write what it said."""
    image = make_ghost(folder / "ghost", interpreter, read_image_list(lists / LIST), folder / "metadata")
    truths = dict(read_truth())
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for each in choose(names):
            truths[each.name] = work_out(each, image, Path(scratch), list_loaded()).to_dict()
            print(f"{each.name}: {truths[each.name]['headline']}", file=sys.stderr, flush=True)
            write_truth(truths, dt.datetime.now(dt.UTC).date().isoformat())


def choose(names: Sequence[str]) -> list[Notebook]:
    """The notebooks whose name holds one of `names`."""
    return [each for each in read_notebooks() if not names or any(name in each.name for name in names)]
