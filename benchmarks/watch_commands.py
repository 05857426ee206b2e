"""What the watch stops and what it lets run, against what a recording pip in a real shell is told."""

from __future__ import annotations

import sys
from pathlib import Path

from table import format_table

sys.path.insert(0, str(Path(__file__).resolve().parent / "watch"))

from benign_cells import BENIGN, WRITTEN
from judge_cells import Answer, judge
from wrapper_cells import WRAPPERS

MOST_FALSE_STOPS = 1
LEAST_SEEN = 0.95


def run() -> tuple[str, bool]:
    """The table, and whether the bars are met."""
    benign_truth, wrapper_truth = judge(BENIGN, watched=False), judge(WRAPPERS, watched=False)
    benign, wrappers = judge(BENIGN, watched=True), judge(WRAPPERS, watched=True)
    wrong = [cell for cell, truth in zip(BENIGN, benign_truth, strict=True) if truth.harms]
    idle = [cell for cell, truth in zip(WRAPPERS, wrapper_truth, strict=True) if not truth.harms]
    false_stops = [
        cell
        for cell, truth, answer in zip(BENIGN, benign_truth, benign, strict=True)
        if answer.stopped and not truth.harms
    ]
    failures = [
        cell
        for cell, answer in zip((*BENIGN, *WRAPPERS), (*benign, *wrappers), strict=True)
        if any("the watch failed" in notice for notice in answer.notices)
    ]
    counted = [
        (cell, answer)
        for cell, truth, answer in zip(WRAPPERS, wrapper_truth, wrappers, strict=True)
        if truth.harms
    ]
    told = [cell for cell, answer in counted if not answer.stopped and answer.notices]
    unseen = [cell for cell, answer in counted if not answer.stopped and not answer.notices]
    rows = [
        (
            "benign cells",
            len(BENIGN),
            f"{len(WRITTEN)} written out, {len(BENIGN) - len(WRITTEN)} of guard x probe x install",
        ),
        ("  in which pip or uv is reached", _count_reached(benign_truth), ""),
        ("  that harm after all (an error of the corpus)", len(wrong), "must be 0"),
        ("  stopped: false stops", len(false_stops), f"at most {MOST_FALSE_STOPS}"),
        ("ways to install another numpy", len(counted), f"{len(idle)} more do not reach pip on this machine"),
        ("  seen", len(counted) - len(unseen), f"at least {LEAST_SEEN:.0%}"),
        ("    of these told beforehand, not stopped", len(told), "its requirements file is not there yet"),
        ("cells in which the watch itself failed", len(failures), "must be 0"),
    ]
    shown = [(what, str(count), note) for what, count, note in rows]
    table = format_table(("what", "count", "bar or note"), shown)
    for title, cells in (
        ("false stop", false_stops),
        ("told", told),
        ("not seen", unseen),
        ("not reached", idle),
        ("harms", wrong),
        ("the watch failed", failures),
    ):
        table += "".join(f"\n{title}: {' / '.join(cell.splitlines())}" for cell in cells)
    met = (
        len(BENIGN) >= 300
        and not wrong
        and not failures
        and len(false_stops) <= MOST_FALSE_STOPS
        and len(counted) - len(unseen) >= LEAST_SEEN * len(counted)
    )
    return table, met


def _count_reached(answers: list[Answer]) -> int:
    return sum(answer.reached for answer in answers)


if __name__ == "__main__":
    told, is_met = run()
    print(told)
    sys.exit(not is_met)
