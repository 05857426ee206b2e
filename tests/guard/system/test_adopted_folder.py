"""Whose folder it is that a path file names."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from tierproof.guard.system.adopted_folder import find_named_folder, note_identity
from tierproof.guard.system.path_file import PATH_FILE, PathFileError, read_named_folders

TAG = "cpython-311"


class Place:
    """An environment's folder with one generation, and a path file that names it."""

    def __init__(self, root: Path, name: str) -> None:
        self.folder = root / "data" / "environments" / name
        (self.folder / "generations" / ("a" * 20) / "site").mkdir(parents=True)
        self.prefix = root / f"env-{name}"
        self.file = self.prefix / "lib" / PATH_FILE
        self.file.parent.mkdir(parents=True)
        self.name(self.file)
        note_identity(self.folder, str(self.prefix), TAG, self.file)

    def name(self, file: Path) -> None:
        file.write_text(f"{self.folder / 'generations' / ('a' * 20) / 'site'}\n")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, "one-cp311-0a1b2c3d")


def find(place: Place, **changed: Any) -> Any:
    given = {
        "own": place.folder.with_name("two-cp311-11111111"),
        "files": [place.file],
        "prefix": "/elsewhere",
        "cache_tag": TAG,
    }
    return find_named_folder(**{**given, **changed})


def test_its_own_folder_is_nothing_to_tell(place: Place) -> None:
    assert find(place, own=place.folder) is None
    assert find(place, files=[place.file.with_name("absent.pth")]) is None


def test_the_same_name_in_another_data_folder_is_the_same_environment(place: Place, tmp_path: Path) -> None:
    assert find(place, own=tmp_path / "other" / place.folder.name).refusal == ""


def test_a_moved_environment(place: Place) -> None:
    moved = place.prefix.rename(place.prefix.with_name("moved"))
    found = find(place, files=[moved / "lib" / PATH_FILE], prefix=str(moved))
    assert (found.folder, found.refusal) == (place.folder, "")


def test_a_copy(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "copy" / "lib" / PATH_FILE
    file.parent.mkdir(parents=True)
    place.name(file)
    assert "of which this one is a copy" in find(place, files=[file], prefix=str(tmp_path / "copy")).refusal
    place.file.unlink()  # the original has let go of it
    assert find(place, files=[file], prefix=str(tmp_path / "copy")).refusal == ""


def test_two_environments_with_the_same_path_file(place: Place) -> None:
    assert "which has the same path file" in find(place).refusal


def test_another_python(place: Place) -> None:
    assert "another environment" in find(place, cache_tag="cpython-312").refusal


@pytest.mark.parametrize("content", [b"", b"[]", b"[" * 100_000, b"{}", b"\xff", b"null"])
def test_an_identity_that_is_none_gives_nobody_the_folder(place: Place, content: bytes) -> None:
    (place.folder / "environment.json").write_bytes(content)
    assert find(place).refusal


def test_a_path_file_that_leads_nowhere_or_to_something_else(place: Place, tmp_path: Path) -> None:
    for text in ("/a/generations/b/site\n", f"{tmp_path}/generations/x/site\n"):
        place.file.write_text(text)
        assert find(place).refusal
    for text in ("", "/somewhere\n", "import os\n", "\0\n", "# a remark\n", "x" * 100_000):
        place.file.write_text(text)
        assert find(place) is None


def test_one_that_cannot_be_read_is_not_absent(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(PathFileError, match="cannot read"):
        read_named_folders(place.file)
