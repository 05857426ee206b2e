"""A disk that fills up is noticed before it is full."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from tierproof.guard.system.spared_room import SparedRoom


@pytest.mark.parametrize(("free", "spared"), [(100 << 30, 1 << 30), (1 << 20, 1 << 19)])
def test_a_gigabyte_or_half_of_what_is_free_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, spared: int
) -> None:
    now = SimpleNamespace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: now)
    room = SparedRoom([tmp_path / "absent" / "folder"])
    assert room.find_short() is None
    now.free = spared
    assert room.find_short() is None
    now.free = spared - 1
    assert room.find_short() == tmp_path
