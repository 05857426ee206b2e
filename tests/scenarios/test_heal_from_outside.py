"""Heals of another process: from a snapshot, refused where it would harm, and of a whole environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from guard.notebook_kernel import SOURCE
from guard.torn_host import read_tree, write_version
from scenarios.test_overlapping_heals import end, start, upgrade
from tierproof.guard.mend import heal as healing_module
from tierproof.guard.mend.heal import heal_process
from tierproof.guard.mend.heal_environment import heal_environment
from tierproof.guard.mend.snapshot_process import snapshot_environment, snapshot_process
from tierproof.guard.system.process import ProcessError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    root = tmp_path / "site-packages"
    root.mkdir()
    write_version(root, "1.0", "_elementtree")
    return root


@pytest.fixture
def pid(root: Path) -> Iterator[int]:
    process = start(root)
    yield process.pid
    end(process)


def test_it_is_healed_from_a_snapshot_taken_from_outside(root: Path, pid: int) -> None:
    whole = read_tree(root)
    assert [each.package for each in snapshot_process(pid).kept] == ["pack"]
    upgrade(root)
    healing = heal_process(pid)
    assert healing.ok, str(healing)
    assert read_tree(root) == whole
    assert heal_process(pid).healed == ()


def test_a_snapshot_that_was_changed_and_an_index_out_of_reach_are_both_told(root: Path, pid: int) -> None:
    (kept,) = snapshot_process(pid).kept
    assert kept.how == "link"
    with (root / "pack/late.py").open("a") as stream:
        stream.write("# in place\n")
    upgrade(root)
    after = read_tree(root)
    (failed,) = heal_process(pid).failed
    assert "is damaged: pack/late.py has changed" in failed.reason
    assert "could not be fetched" in failed.reason
    assert read_tree(root) == after


def test_what_another_process_has_loaded_is_not_taken_from_it(root: Path, pid: int) -> None:
    snapshot_process(pid)
    upgrade(root)
    other = start(root)
    try:
        (failed,) = heal_process(pid).failed
        assert f"process {other.pid} has loaded pack 2.0" in failed.reason
    finally:
        end(other)
    assert heal_process(pid).ok


def test_what_tierproof_added_and_what_cannot_be_written_is_refused(
    root: Path, pid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot_process(pid)
    upgrade(root)

    def refuse(_: Path) -> Path:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(healing_module, "make_heal_folder", refuse)
        assert "Read-only file system" in heal_process(pid).failed[0].reason
    (root / "pack-2.0.dist-info/INSTALLER").unlink()
    (root / "pack-2.0.dist-info/INSTALLER").write_text("tierproof\n")
    (failed,) = heal_process(pid).failed
    assert "tierproof recover" in failed.reason


def test_each_process_of_an_environment_is_served(
    root: Path, pid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(root)])  # this environment, as far as the doctor is concerned
    assert [each.package for each in snapshot_environment().kept] == ["pack"]
    upgrade(root)
    healing = heal_environment()
    assert [each.package for each in healing.healed] == ["pack"]
    assert healing.ok, str(healing)
    assert heal_environment().healed == ()


def test_a_process_without_libraries_of_packages_cannot_be_kept_from_outside() -> None:
    import subprocess

    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as process:
        with pytest.raises(ProcessError, match=r"tp\.snapshot\(\)"):
            snapshot_process(process.pid)
        process.communicate(b"\n")


def test_what_a_process_has_loaded_is_kept_by_itself(root: Path) -> None:
    code = (
        "import json, pack\nfrom tierproof.guard.mend.snapshot_process import snapshot_this_process\n"
        "kept = snapshot_this_process(most_bytes=1 << 20, most_copied_bytes=1 << 20)\n"
        "print(json.dumps([each.package for each in kept.kept]))"
    )
    path = os.pathsep.join([str(root), str(SOURCE)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "pack" in json.loads(done.stdout)
