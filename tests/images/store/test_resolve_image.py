"""What a person may call an image: a stored one, a file, this interpreter; and what happens with nonsense."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from images.published import HAS_REAL_LISTS, REAL_LISTS
from tierproof.errors import UsageError
from tierproof.images.base.image_base import make_image_base
from tierproof.images.store.add_image import add_image
from tierproof.images.store.resolve_image import open_image, resolve_image

WHEELS = "a==1\ntorch @ https://h/w/torch-2.9.0%2Bcpu-cp312-cp312-manylinux_2_28_x86_64.whl\n"


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERPROOF_IMAGES", str(tmp_path / "images"))
    monkeypatch.setenv("TIERPROOF_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "freeze.txt") -> Path:
    path = Path.cwd() / name
    path.write_text(text)
    return path


def test_a_stored_image() -> None:
    add_image(write("numpy==2.0.2\n"), name="ours:1", python="3.12")
    add_image(write("numpy==2.1\n"), name="ours:1", python="3.13.1", hardware="gpu")
    assert resolve_image("ours:1").numpy == "2.0.2"
    assert resolve_image("ours:1-gpu").python == "3.13.1"
    assert resolve_image("ours:1", hardware="gpu").python == "3.13.1"
    assert resolve_image("ours:1-cpu", hardware="gpu").python == "3.12"
    assert resolve_image("ours:latest-gpu").label == "ours:1-gpu"
    assert resolve_image("ours:1", python="3.9").python == "3.12"  # what is known needs no telling


@pytest.mark.skipif(not HAS_REAL_LISTS, reason="the image lists lie in TIERPROOF_SHARED")
def test_a_folder_of_real_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERPROOF_IMAGES", str(REAL_LISTS))
    assert resolve_image("colab:2026.07-tpu").packages == 314
    assert resolve_image("colab:latest").label == "colab:2026-08"
    assert resolve_image("colab:2023-02").python == "3.8"  # read from its wheels
    assert resolve_image("colab:2023-08", python="3.10.12").python == "3.10.12"
    with pytest.raises(UsageError, match=r"contains wheels for Python 3\.10, but 3\.11 was given"):
        resolve_image("colab:2023-08", python="3.11")
    assert resolve_image("colab:2023-08", platform="linux-x86_64").platform == "x86_64-manylinux_2_28"
    assert resolve_image("colab:2026.07", platform="linux-aarch64").platform == "x86_64-manylinux_2_35"


@pytest.mark.parametrize("name", ["freeze.txt", "./freeze.txt", "{folder}/freeze.txt"])
def test_a_freeze_file(name: str, tmp_path: Path) -> None:
    write("numpy==2.0.2\npandas==2.2.2\n")
    text = name.format(folder=tmp_path)
    image = resolve_image(text, python="3.12", hardware="gpu", platform="linux-aarch64")
    assert (image.python, image.hardware, image.platform) == ("3.12", "gpu", "aarch64-manylinux_2_28")
    assert (image.packages, image.numpy, image.name) == (2, "2.0.2", text)
    with pytest.raises(UsageError, match="cannot tell which Python version") as raised:
        resolve_image(text)
    assert "--python 3.12" in raised.value.hint
    assert open_image(text).image.python == ""  # to look at it no Python is needed


def test_a_file_without_a_telling_name_and_one_in_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(WHEELS, "packages")
    assert resolve_image("packages").python == "3.12"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve_image("~/packages").python == "3.12"
    add_image(write("a==2\n"), name="packages", python="3.13")
    assert resolve_image("packages").python == "3.13"  # the name that was given comes first


@pytest.mark.parametrize(
    ("python", "message"),
    [
        ("3.11", r"contains wheels for Python 3\.12"),
        ("three", "must have the form 3.x"),
        ("2.7", "must have the form 3.x"),
        ("3", "must have the form 3.x"),
        ("3.12.1.2", "must have the form 3.x"),
    ],
)
def test_a_python_that_cannot_be(python: str, message: str) -> None:
    write(WHEELS)
    with pytest.raises(UsageError, match=message):
        resolve_image("freeze.txt", python=python)


def test_wheels_for_later_pythons_tell_nothing() -> None:
    write("a @ https://h/w/a-1-cp39-abi3-manylinux_2_28_x86_64.whl\n")
    assert resolve_image("freeze.txt", python="3.12").python == "3.12"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colab:2026.07", "no image is stored"),
        ("", "no image was given"),
        ("absent.txt", "cannot read absent.txt: No such file"),
        (".", "is a folder"),
        ("a\0b.txt", "cannot read"),
        ("x" * 5000, "there is no image"),
        ("page.txt", "web page"),
        ("empty.txt", "is empty"),
        ("binary.txt", "not a text file"),
        ("cut.txt", "cut off on line 2"),
        ("../", "is a folder"),
    ],
)
def test_nonsense(text: str, message: str) -> None:
    write("<html>\n<body>502</body>\n", "page.txt")
    write("", "empty.txt")
    write("a==1\nzstand", "cut.txt")
    (Path.cwd() / "binary.txt").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")
    with pytest.raises(UsageError, match=message):
        resolve_image(text, python="3.12")


def test_unknown_hardware_and_platforms() -> None:
    write("a==1\n")
    with pytest.raises(UsageError, match="hardware 'qpu'"):
        resolve_image("freeze.txt", python="3.12", hardware="qpu")
    for platform in ("windows-x86_64", "linux", "x86_64-musllinux_1_2"):
        with pytest.raises(UsageError, match="unknown platform") as raised:
            resolve_image("freeze.txt", python="3.12", platform=platform)
        assert "linux-x86_64" in raised.value.hint


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_a_file_that_may_not_be_read() -> None:
    write("a==1\n").chmod(0)
    with pytest.raises(UsageError, match="Permission denied"):
        resolve_image("freeze.txt", python="3.12")


def test_here_is_this_interpreter_and_has_no_list(tmp_path: Path) -> None:
    contents = open_image("here")
    versions = {item.name: item.version for item in contents.file.packages}
    assert "pytest" in versions
    assert contents.image.python == ".".join(map(str, sys.version_info[:3]))
    with pytest.raises(UsageError, match="not a stored image") as raised:
        resolve_image("here")
    assert "images add here --name" in raised.value.hint
    assert list(tmp_path.iterdir()) == []  # nothing is written


def test_images_of_another_folder(tmp_path: Path) -> None:
    add_image(write("numpy==2.0.2\n"), name="ours", python="3.12", folder=tmp_path / "other")
    assert resolve_image("ours", folder=tmp_path / "other").numpy == "2.0.2"
    assert open_image("ours", folder=tmp_path / "other").image.label == "ours"
    with pytest.raises(UsageError, match="no image is stored"):
        resolve_image("ours")


@pytest.mark.skipif(sys.platform != "linux", reason="images are Linux")
def test_here_has_the_platform_of_its_wheels() -> None:
    image = open_image("here").image
    assert "manylinux_2_" in image.platform
    assert image.os


def test_a_resolved_file_is_the_base_of_a_plan() -> None:
    write("mine @ file:///w/mine-1.0-py3-none-any.whl\n")
    base = make_image_base(resolve_image("freeze.txt", python="3.12")).base
    assert (base.python, base.by_name["mine"].version) == ("3.12", "1.0")
