"""Two folders change places in one step."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tierproof.guard.generations.exchange import exchange


@pytest.mark.skipif(sys.platform != "linux", reason="renameat2 is Linux's")
def test_both_are_in_the_others_place(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    assert exchange(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a" / "file").read_text() == "b"
    assert (tmp_path / "b" / "file").read_text() == "a"


def test_where_it_cannot_be_nothing_changes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert not exchange(tmp_path / "a", tmp_path / "absent")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
