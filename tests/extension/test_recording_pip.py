"""A sample of the cells of `benchmarks/watch`, judged against what a recording pip in a real shell is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks" / "watch"))

from benign_cells import WRITTEN
from judge_cells import judge
from wrapper_cells import WRAPPERS

pytest.importorskip("IPython")
pytest.importorskip("uv")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs a POSIX shell")

BENIGN = WRITTEN[::16]
HARMFUL = tuple(cell for cell in WRAPPERS if "ctypes" not in cell)[::9]


def test_benign_cells_run_and_other_numpys_are_stopped() -> None:
    cells = (*BENIGN, *HARMFUL)
    truth, watched = judge(cells, watched=False), judge(cells, watched=True)
    assert [each.harms for each in truth] == [False] * len(BENIGN) + [True] * len(HARMFUL)
    for cell, true, answer in zip(cells, truth, watched, strict=True):
        assert answer.stopped is true.harms, cell
        assert not any("the watch failed" in notice for notice in answer.notices), answer.notices
