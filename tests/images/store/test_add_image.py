"""`images add`: what is added, what is named as skipped, and what is refused without a trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tierproof.errors import UsageError
from tierproof.images.lists.image_contents import read_contents
from tierproof.images.store.add_image import add_image
from tierproof.images.store.image_store import list_images

DIRTY = """# made by hand
numpy==2.0.2
numpy==2.1
-e /home/me/project
scipy>=1
torch @ https://h/torch-2.9.0%2Bcpu-cp312-cp312-linux_x86_64.whl
tool @ git+https://me:secret@h/o/tool@abc
pandas==2.2.2
ok==1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "images"


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    path = tmp_path / "dirty.txt"
    path.write_text(DIRTY)
    return path


def test_a_dirty_list(dirty: Path, folder: Path) -> None:
    added = add_image(dirty, name="dirty", folder=folder)
    assert (added.image.python, added.image.packages, added.image.added) == ("3.12", 5, True)
    assert [(each.line, each.reason) for each in added.skipped] == [
        (3, "numpy is already on line 2"),
        (4, "this editable install does not name its package"),
        (5, "it is not pinned to an exact version"),
    ]
    for each in added.skipped:
        assert f"skipped line {each.line}: {each.reason}: {each.text}" in added.describe_skipped()
    assert list_images(folder) == (added.image,)
    document = added.to_dict()
    assert (document["format_version"], document["image"], document["packages"]) == (1, "dirty", 5)
    assert "secret" not in str(added) + added._repr_html_() + str(document)


def test_an_image_is_replaced_only_on_demand(dirty: Path, folder: Path, tmp_path: Path) -> None:
    add_image(dirty, name="mine", folder=folder)
    other = tmp_path / "other.txt"
    other.write_text("a==1\n")
    with pytest.raises(UsageError, match="the image mine already exists") as raised:
        add_image(other, name="mine", python="3.12", folder=folder)
    assert "--replace" in raised.value.hint
    add_image(other, name="mine", python="3.12", hardware="gpu", folder=folder)
    replaced = add_image(other, name="mine", python="3.13", replace=True, folder=folder)
    assert {(each.label, each.python) for each in list_images(folder)} == {
        ("mine", "3.13"),
        ("mine-gpu", "3.12"),
    }
    assert read_contents(replaced.image).file.packages[0].name == "a"


@pytest.mark.parametrize(
    "name",
    ["", "-x", "a b", "here", "colab:latest", "mine-gpu", "mine-cpu", "../x", "a/b", "x.txt", "ü", "x" * 200],
)
def test_names_that_mean_something_else(dirty: Path, folder: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is not a valid image name"):
        add_image(dirty, name=name, folder=folder)
    assert not folder.exists()


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"<!doctype html><html></html>", {}, "web page"),
        (b"", {}, "is empty"),
        (b"\0\1\2", {}, "not a text file"),
        (b"a==1\nzstand", {"python": "3.12"}, "cut off on line 2"),
        (b"a==1\n", {}, "cannot tell which Python version"),
        (b"a==1\n", {"python": "12"}, "must have the form 3.x"),
        (b"a==1\n", {"python": "3.12", "hardware": "qpu"}, "hardware"),
        (b"a==1\n", {"python": "3.12", "platform": "plan9"}, "platform"),
    ],
)
def test_what_is_refused_leaves_no_trace(
    tmp_path: Path, folder: Path, content: bytes, options: dict[str, str], message: str
) -> None:
    path = tmp_path / "list"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        add_image(path, name="mine", folder=folder, **options)  # type: ignore[arg-type]
    assert not folder.exists()


def test_a_refused_list_leaves_the_stored_ones(dirty: Path, folder: Path, tmp_path: Path) -> None:
    add_image(dirty, name="mine", folder=folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    dirty.write_text("<html>")
    with pytest.raises(UsageError):
        add_image(dirty, name="mine", replace=True, folder=folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_list_from_windows_is_stored_as_utf_8(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "wide.txt"
    path.write_bytes("numpy==2.0.2\r\n".encode("utf-16"))
    added = add_image(path, name="wide", python="3.12", folder=folder)
    assert (
        added.image.path.read_text(encoding="utf-8") == "numpy==2.0.2\r\n"
        or added.image.path.read_text() == "numpy==2.0.2\n"
    )
    assert read_contents(added.image).file.packages[0].version == "2.0.2"


def test_this_interpreter_is_added_as_here(folder: Path) -> None:
    added = add_image(Path("here"), name="laptop", folder=folder)
    names = {item.name for item in read_contents(added.image).file.packages}
    assert "pytest" in names
    assert added.image.python.startswith("3.")
