"""What is installed, listed as importlib lists it."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from importlib.metadata import PathDistribution, distributions
from pathlib import Path

import pytest

from guard.fake_site import install
from tierproof.guard.capture import installed
from tierproof.guard.capture.installed import iterate_installed


def list_by_importlib(entry: str) -> list[tuple[str, str]]:
    return [(each.name.lower(), each.version) for each in distributions(path=[entry])]


def list_here(entry: str) -> list[tuple[str, str]]:
    return [(each.name, each.version) for each in iterate_installed([entry])]


def test_a_folder_is_listed_as_importlib_lists_it(tmp_path: Path) -> None:
    for number in range(20):
        install(tmp_path, f"pack{number}", "1.0", {f"pack{number}.py": ""})
    for name, version in (("Pack3", "2.0"), ("a.b", "1"), ("A_b", "2"), ("pack7", "0.9")):
        install(tmp_path, name, version, {})
    egg = tmp_path / "egged-1.5-py3.11.egg-info"
    egg.mkdir()
    (egg / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: egged\nVersion: 1.5\n")
    (tmp_path / "single-0.1.egg-info").write_text("Metadata-Version: 1.0\nName: single\nVersion: 0.1\n")
    (tmp_path / "dist-info").mkdir()
    found = [
        (name.replace("_", "-").replace(".", "-"), version)
        for name, version in list_by_importlib(str(tmp_path))
    ]
    assert len(found) == 26
    assert list_here(str(tmp_path)) == found


def test_an_egg_and_a_zip_file_are_left_to_importlib(tmp_path: Path) -> None:
    text = "Metadata-Version: 1.0\nName: egged\nVersion: 1.5\n"
    egg = tmp_path / "egged-1.5.egg"
    (egg / "EGG-INFO").mkdir(parents=True)
    (egg / "EGG-INFO" / "PKG-INFO").write_text(text)
    archive = tmp_path / "packed.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        stream.writestr("egged-1.5.dist-info/METADATA", text)
    for entry in (egg, archive):
        assert list_here(str(entry)) == list_by_importlib(str(entry)) == [("egged", "1.5")]


def test_an_entry_without_a_folder_lists_nothing(tmp_path: Path) -> None:
    assert list_here(str(tmp_path / "absent")) == []


def test_the_empty_entry_is_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "pack", "1.0", {})
    monkeypatch.chdir(tmp_path)
    assert list_here("") == [("pack", "1.0")]


def test_metadata_is_read_as_importlib_reads_it(tmp_path: Path) -> None:
    """Of every package that is installed here, and of what is written oddly."""
    metadata = tmp_path / "odd.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_bytes(
        "Metadata-Version: 2.1\r\nname: Odd_Name\nVERSION: 1.0\nLicense: first\n        \n   more: text\n"
        "Requires-Dist: torch\n >=2\nRequires-Dist:numpy\nSummary: a\x0cb \u2028 c\n\nRequires-Dist: none\n".encode()
    )
    roots = {tmp_path, *(Path(str(each.locate_file(""))) for each in distributions())}
    compared = 0
    for root in roots:
        for path in root.glob("*.dist-info"):
            fast, slow = installed._read_at(path, root), installed._read(PathDistribution(path), root)
            assert fast is not None
            assert slow is not None
            assert replace(fast, requires=()) == replace(slow, requires=())
            assert list(fast.requires) == [
                " ".join(line.split()) if "\n" in line else line for line in slow.requires
            ]
            compared += 1
    assert compared > 20


def test_what_is_written_anew_is_read_again(tmp_path: Path) -> None:
    metadata = tmp_path / "one-1.dist-info"
    metadata.mkdir()
    for version in ("1", "2"):
        (metadata / "METADATA").write_text(f"Name: one\nVersion: {version}\n")
        assert [each.version for each in iterate_installed([str(tmp_path)])] == [version]
