"""What releases declare: read from source archives, and kept."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from tierproof.guard.resolve.sdist_metadata import parse_requires_txt, read_sdist_requires
from tierproof.images.base.requires_cache import RequiresCache

REQUIRES_TXT = """numpy>=1
mine @ https://h/mine.zip

# a comment
[:python_version < "3.8"]
typing
[docs]
sphinx
[test:sys_platform == "win32"]
pywin32
"""
EXPECTED = (
    "numpy>=1",
    "mine @ https://h/mine.zip",
    'typing; (python_version < "3.8")',
    'sphinx; extra == "docs"',
    'pywin32; (sys_platform == "win32") and extra == "test"',
)


def archive(path: Path, files: dict[str, str]) -> str:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as bundle:
            for name, text in files.items():
                bundle.writestr(name, text)
    else:
        with tarfile.open(path, "w:gz") as bundle:
            for name, text in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(text)
                bundle.addfile(entry, io.BytesIO(text.encode()))
    return path.as_uri()


def test_requires_txt() -> None:
    assert tuple(parse_requires_txt(REQUIRES_TXT)) == EXPECTED


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_an_old_archive(tmp_path: Path, suffix: str) -> None:
    files = {"a-1/PKG-INFO": "Metadata-Version: 1.0\nName: a\n", "a-1/a.egg-info/requires.txt": REQUIRES_TXT}
    assert read_sdist_requires(archive(tmp_path / f"a-1{suffix}", files), 0, {}) == EXPECTED


def test_static_metadata_wins(tmp_path: Path) -> None:
    files = {"a-1/PKG-INFO": "Name: a\nRequires-Dist: b>=2\n", "a-1/src/a.egg-info/requires.txt": "c"}
    assert read_sdist_requires(archive(tmp_path / "a-1.tar.gz", files), 0, {}) == ("b>=2",)


def test_what_tells_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "b-1.tar.gz"
    broken.write_bytes(b"no archive")
    assert read_sdist_requires(broken.as_uri(), 0, {}) is None
    assert read_sdist_requires((tmp_path / "absent-1.tar.gz").as_uri(), 0, {}) is None
    assert read_sdist_requires(broken.as_uri(), 1 << 30, {}) is None
    assert read_sdist_requires(archive(tmp_path / "a-1.tar.gz", {"a-1/setup.py": ""}), 0, {}) is None


def test_the_cache_keeps_what_two_processes_found(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "requires.json"
    first, second = RequiresCache(path), RequiresCache(path)
    first.add({("a", "1"): ("b>=1",)})
    second.add({("c", "2"): ()})
    third = RequiresCache(path)
    assert (third.get("a", "1"), third.get("c", "2"), third.get("d", "1")) == (("b>=1",), (), None)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 99}', json.dumps({"format": 1, "requires": [1]})]
)
def test_a_damaged_cache_counts_as_empty(tmp_path: Path, text: str) -> None:
    path = tmp_path / "requires.json"
    path.write_text(text)
    cache = RequiresCache(path)
    cache.add({("a", "1"): ()})
    assert RequiresCache(path).get("a", "1") == ()


def test_a_cache_that_cannot_be_written_is_left(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    cache = RequiresCache(blocked / "requires.json")
    cache.add({("a", "1"): ("b",)})
    assert cache.get("a", "1") == ("b",)
