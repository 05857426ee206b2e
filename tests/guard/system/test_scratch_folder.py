"""Folders for a moment, and what killed processes leave of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tierproof.guard.system.scratch_folder import open_scratch_folder

SOURCE = Path(__file__).resolve().parents[3] / "src"
HOLD = "from tierproof.guard.system.scratch_folder import open_scratch_folder as o\nimport time\nwith o() as f:\n    (f / 'x').touch(); print(f, flush=True); time.sleep(600)"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_is_private_and_removed() -> None:
    with open_scratch_folder() as folder:
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "file").touch()
    assert not folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells whose process has ended")
def test_what_a_kill_leaves_is_removed_and_what_is_in_use_is_not(temporary: Path) -> None:
    holders = [
        subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    try:
        killed, live = (Path((holder.stdout or sys.stdin).readline().strip()) for holder in holders)
        holders[0].send_signal(signal.SIGKILL)
        holders[0].wait()
        assert (killed / "x").exists()
        foreign = temporary / "tierproof-scratch-notes"
        foreign.mkdir()
        target = temporary / "precious"
        target.mkdir()
        (target / "file").touch()
        (temporary / "tierproof-scratch-999999999-1-x").symlink_to(target)
        with open_scratch_folder():
            assert not killed.exists()
            assert (live / "x").exists()
            assert foreign.exists()
            assert (target / "file").exists()
    finally:
        for holder in holders:
            holder.kill()
            holder.communicate()


def test_a_place_that_cannot_be_listed_hinders_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "scandir", fail)
    with open_scratch_folder() as folder:
        assert folder.is_dir()
