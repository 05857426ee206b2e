"""Which live processes use a site directory, and which of their libraries the disk still holds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from guard.fake_site import install
from tierproof.guard.mend.site import Site
from tierproof.guard.mend.site_users import find_users, leave_out_present

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import _ctypes

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    root = Path(os.path.realpath(tmp_path)) / "site-packages"
    install(root, "pack", "1.0", {"pack/__init__.py": ""})
    return Path(shutil.copy(_ctypes.__file__, root / "pack"))


@pytest.fixture
def user(library: Path) -> Iterator[int]:
    """A process that has the library mapped."""
    code = f"""
import importlib.util
importlib.util.module_from_spec(importlib.util.spec_from_file_location("_ctypes", {str(library)!r}))
print("loaded", flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "loaded\n"
        yield child.pid
        child.communicate("\n")


def find_missing(library: Path, user: int) -> list[str]:
    """The libraries of the user that are not in their place, by their file's name."""
    missing = leave_out_present(find_users(Site([library.parents[1]])))
    return [each.path for each in missing[user] if each.path.endswith(library.name)]


def test_only_who_has_a_library_of_the_site_mapped_is_a_user(
    library: Path, user: int, tmp_path: Path
) -> None:
    assert list(find_users(Site([library.parents[1]]))) == [user]
    install(tmp_path / "other", "else", "1.0", {"else.py": ""})
    assert find_users(Site([tmp_path / "other"])) == {}


def test_what_is_in_its_place_is_left_out(library: Path, user: int) -> None:
    assert find_missing(library, user) == []


def test_what_was_replaced_or_removed_stays(library: Path, user: int) -> None:
    copy = Path(shutil.copy(library, library.with_name("copy")))
    copy.replace(library)
    assert find_missing(library, user) == [str(library)]
    library.unlink()
    assert find_missing(library, user) == [str(library)]


def test_what_pip_moved_aside_stays(library: Path, user: int) -> None:
    library.parent.rename(library.parents[1] / "~ack")
    assert find_missing(library, user) == [str(library.parents[1] / "~ack" / library.name)]
