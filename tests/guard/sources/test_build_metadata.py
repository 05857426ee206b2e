"""The metadata of sources, built by foreign code that is confined."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guard.wheelhouse import Wheelhouse
from tierproof.guard.resolve.index_settings import read_index_settings
from tierproof.guard.sources import build_metadata as module
from tierproof.guard.sources.build_metadata import BuildError, build_metadata
from tierproof.guard.system.confined_process import run_confined

pytest.importorskip("uv")


@pytest.fixture
def house(tmp_path: Path) -> Wheelhouse:
    return Wheelhouse(tmp_path / "house")


def build(house: Wheelhouse, code: str) -> module.BuiltMetadata:
    house.add_buildable("alone", "1.5", code, ["numb>=2", "wide; extra == 'all'"])
    archive = house.folder / "simple" / "alone" / "alone-1.5.tar.gz"
    return build_metadata(archive.as_uri(), read_index_settings(house.environment), sys.executable)


def test_a_build_tells_name_version_and_requirements(house: Wheelhouse) -> None:
    built = build(house, "")
    assert (built.name, built.version) == ("alone", "1.5")
    assert [str(each) for each in built.known.requires] == ["numb>=2", 'wide; extra == "all"']
    assert list(built.place) == ["archive"]


def test_no_secret_reaches_a_build(
    house: Wheelhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "PIP_INDEX_URL", "UV_INDEX_URL", "WHATEVER"):
        monkeypatch.setenv(name, "secret")
    seen = tmp_path / "seen"
    build(house, f"Path({str(seen)!r}).write_text(repr(dict(os.environ)))")
    told = seen.read_text()
    assert "secret" not in told
    assert os.environ["HOME"] not in told.replace(os.environ["PATH"], "")


def test_a_build_that_takes_too_long_ends_with_all_that_it_started(
    house: Wheelhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LIMIT_S", 3.0)
    pid = tmp_path / "pid"
    code = (
        "import subprocess, time\n"
        f"Path({str(pid)!r}).write_text(str(subprocess.Popen(['sleep', '600']).pid))\ntime.sleep(600)"
    )
    with pytest.raises(BuildError, match="more than 3 seconds"):
        build(house, code)
    _wait_for_end(int(pid.read_text()))


def test_what_a_build_leaves_running_is_ended(house: Wheelhouse, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = f"import subprocess\nPath({str(pid)!r}).write_text(str(subprocess.Popen(['sleep', '600']).pid))"
    assert build(house, code).version == "1.5"
    _wait_for_end(int(pid.read_text()))


def _wait_for_end(pid: int) -> None:
    for _ in range(100):
        state = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        if not state.stdout.strip() or state.stdout.startswith("Z"):
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} is still there")


def test_a_build_that_wants_too_much_memory_fails(house: Wheelhouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MEMORY_BYTES", 300 << 20)
    with pytest.raises(BuildError, match="MemoryError"):
        build(house, "bytearray(2 << 30)")


def test_a_build_that_fails_says_why(house: Wheelhouse, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no compiler"):
        build(house, "raise OSError('no compiler')")
    with pytest.raises(BuildError, match="cannot be fetched"):
        build_metadata((tmp_path / "absent.tar.gz").as_uri(), read_index_settings({}), sys.executable)
    (tmp_path / "broken.tar.gz").write_bytes(b"no archive")
    with pytest.raises(BuildError, match="cannot be fetched"):
        build_metadata((tmp_path / "broken.tar.gz").as_uri(), read_index_settings({}), sys.executable)


def test_a_repository_is_built_at_its_revision(house: Wheelhouse, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    house.add_buildable("alone", "2.0", "")
    import tarfile

    with tarfile.open(house.folder / "simple" / "alone" / "alone-2.0.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "alone-2.0").rename(repository / "alone")
    git = ["git", "-C", str(repository), "-c", "user.name=t", "-c", "user.email=t@t"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"], ["tag", "v2"]):
        subprocess.run([*git, *words], check=True)
    address = f"git+file://{repository}@v2#subdirectory=alone"
    built = build_metadata(address, read_index_settings(house.environment), sys.executable)
    assert (built.name, built.version) == ("alone", "2.0")
    assert built.place["vcs"]["subdirectory"] == "alone"
    assert len(built.place["vcs"]["commit-id"]) == 40


def test_the_end_of_what_was_printed_is_kept(tmp_path: Path) -> None:
    answer = run_confined([sys.executable, "-c", "print('x' * 100_000 + 'end')"], tmp_path, limit_s=30)
    assert (answer.status, answer.words[-3:]) == (0, "end")
    assert len(answer.words) <= 20_000
