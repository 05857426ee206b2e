"""The stub wheels that are kept: the same for the same base, whole, and put right where it is damaged."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from guard.wheelhouse import make_base
from tierproof.core.user_folders import find_user_cache_folder
from tierproof.errors import UsageError
from tierproof.guard.capture.declared_bounds import Bound
from tierproof.guard.resolve.stub_wheels import StubWheels
from tierproof.guard.resolve.wheel_tags import describe_machine, rank_tags

BASE = make_base(
    {"a": "1.0", "b": "2.0+cu128", "c": "1!3"}, {"a": ["b>=2", "c; extra == 'x'", "no requirement"]}
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIERPROOF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "stubs"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_written_once_and_used_again(cache: Path, tmp_path: Path) -> None:
    first = StubWheels(BASE, tmp_path / "spare")
    assert first.find_stub("b").name == "b-2.0+cu128-py3-none-any.whl"
    assert names(first.flat) == {
        "a-1.0-py3-none-any.whl",
        "b-2.0+cu128-py3-none-any.whl",
        "c-1!3-py3-none-any.whl",
    }
    assert first.bounds == (Bound("a", "b", ">=2"),)
    written = first.find_stub("a").stat().st_mtime_ns
    again = StubWheels(BASE, tmp_path / "spare")
    assert again.find_stub("a") == first.find_stub("a")
    assert first.find_stub("a").stat().st_mtime_ns == written
    assert not (tmp_path / "spare").exists()
    assert len(names(cache)) == 1


def test_another_base_has_another(cache: Path, tmp_path: Path) -> None:
    StubWheels(BASE, tmp_path / "x").find_stub("a")
    StubWheels(make_base({"a": "1.1"}), tmp_path / "y").find_stub("a")
    assert len(names(cache)) == 2


@pytest.mark.parametrize("gone", ["flat", "flat/a-1.0-py3-none-any.whl", "bounds.json"])
def test_a_damaged_one_is_written_anew(cache: Path, tmp_path: Path, gone: str) -> None:
    folder = StubWheels(BASE, tmp_path / "spare").flat.parent
    path = folder / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert len(names(StubWheels(BASE, tmp_path / "spare").flat)) == 3
    assert path.exists()
    assert len(names(cache)) == 1


def test_without_a_cache_folder_the_spare_one_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("TIERPROOF_CACHE", str(blocked))
    stub = StubWheels(BASE, tmp_path / "spare").find_stub("c")
    assert stub.parent == tmp_path / "spare" / "flat"
    assert stub.is_file()


def test_what_nobody_used_for_days_goes(cache: Path, tmp_path: Path) -> None:
    for number in range(9):
        StubWheels(make_base({"a": f"1.{number}"}), tmp_path / "spare").find_stub("a")
    old = time.time() - 9 * 86400
    for path in cache.iterdir():
        os.utime(path, (old, old))
    StubWheels(make_base({"a": "2.0"}), tmp_path / "spare").find_stub("a")
    assert len(names(cache)) <= 7


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TIERPROOF_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert find_user_cache_folder() == tmp_path / "tierproof"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert find_user_cache_folder().is_absolute()


def test_tags_of_another_interpreter() -> None:
    texts = [str(tag) for tag in rank_tags("3.12.12", "x86_64-manylinux_2_35")]
    assert texts[0] == "cp312-cp312-manylinux_2_35_x86_64"
    for taken in ("cp312-cp312-manylinux2014_x86_64", "cp39-abi3-manylinux1_x86_64", "py3-none-any", "cp312-cp312-linux_x86_64"):  # fmt: skip
        assert taken in texts
    assert "cp312-cp312-manylinux_2_36_x86_64" not in texts
    assert describe_machine("aarch64-manylinux_2_28") == "aarch64"
    for platform in ("windows", "x86_64-manylinux_3_0"):
        with pytest.raises(UsageError, match="unknown platform"):
            rank_tags("3.12", platform)
