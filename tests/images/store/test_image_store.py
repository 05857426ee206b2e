"""The folder of images: found by name, written whole, by two at once, and never by half."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierproof.errors import OutputError, UsageError
from tierproof.guard.system.environment_lock import EnvironmentBusyError, lock_environment
from tierproof.images.lists.image_contents import read_contents
from tierproof.images.lists.image_index import Image, format_index, read_index
from tierproof.images.lists.verify_list import verify_list
from tierproof.images.store import image_store
from tierproof.images.store.image_store import (
    find_images_folder,
    find_stored_image,
    is_intact,
    list_images,
    store_image,
)

SOURCE = Path(__file__).resolve().parents[3] / "src"
WORDS = st.text(st.characters(exclude_characters="\0/", exclude_categories=("Cs",)), max_size=12)
NAMES = st.from_regex(r"[a-z]{1,6}:[0-9]{4}[.-][0-9]{2}", fullmatch=True)


def keep(folder: Path, name: str, text: str = "a==1\n", hardware: str = "cpu", **facts: object) -> Image:
    image = replace(Image(name, hardware, Path(), "3.12"), **facts)  # type: ignore[arg-type]
    return store_image(image, verify_list(text.encode(), source="x"), folder)


IMAGES = st.builds(
    Image,
    NAMES,
    st.sampled_from(["cpu", "gpu", "tpu"]),
    st.from_regex(r"[a-z]{1,8}\.txt", fullmatch=True).map(lambda name: Path("/images") / name),
    python=st.sampled_from(["", "3.12", "3.12.13"]),
    os=WORDS,
    date=st.sampled_from(["", "2026-01-16"]),
    commit=WORDS,
    pinned=st.booleans(),
    packages=st.integers(0, 900),
    numpy=WORDS,
    torch=WORDS,
    transformers=WORDS,
    sha256=WORDS,
    given_platform=WORDS,
    added=st.booleans(),
)


@given(st.lists(IMAGES, max_size=6))
def test_an_index_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, images: list[Image]
) -> None:
    folder = tmp_path_factory.mktemp("index")
    images = [replace(image, path=folder / image.path.name) for image in images]
    (folder / "index.json").write_text(format_index(images), encoding="utf-8")
    assert read_index(folder) == tuple(images)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["image", "hardware", "file", "python", "packages"]), inner, max_size=5
            )
        ),
        max_leaves=12,
    )
)
def test_no_index_crashes(tmp_path_factory: pytest.TempPathFactory, document: object) -> None:
    folder = tmp_path_factory.mktemp("index")
    (folder / "index.json").write_text(json.dumps(document))
    try:
        images = read_index(folder)
    except UsageError:
        return
    assert all(image.path.parent == folder for image in images)


def test_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIERPROOF_IMAGES", str(tmp_path / "mine"))
    assert find_images_folder() == tmp_path / "mine"
    monkeypatch.delenv("TIERPROOF_IMAGES")
    monkeypatch.delenv("TIERPROOF_DATA", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert find_images_folder() == tmp_path / "tierproof" / "images"


def test_what_is_stored_is_found_and_read(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "images"
    assert list_images(folder) == ()
    kept = keep(folder, "colab:2026.01", "numpy==2.0.2\ntorch==2.9.0+cpu\n", date="2026-01-16", pinned=True)
    assert (kept.packages, kept.numpy, kept.torch, kept.transformers) == (2, "2.0.2", "2.9.0+cpu", "")
    assert list_images(folder) == (kept,)
    assert find_stored_image("colab:2026.01", folder) == kept
    assert is_intact(kept)
    assert read_contents(kept).file.packages[0].name == "numpy"
    kept.path.write_text("numpy==2.0.3\n")
    assert not is_intact(kept)


def test_the_newest_comes_first_and_is_the_latest(tmp_path: Path) -> None:
    keep(tmp_path, "colab:2026.07", date="2026-07-14", hardware="gpu")
    keep(tmp_path, "colab:2026.07", date="2026-07-14")
    keep(tmp_path, "colab:2026-08", date="2026-08-19")
    keep(tmp_path, "colab:2026.04")  # without a date its name tells
    keep(tmp_path, "mine", date="2026-11-01")
    labels = [image.label for image in list_images(tmp_path)]
    assert labels == ["mine", "colab:2026-08", "colab:2026.07", "colab:2026.07-gpu", "colab:2026.04"]
    assert find_stored_image("colab:latest", tmp_path).name == "colab:2026-08"
    assert find_stored_image("colab:latest-gpu", tmp_path).name == "colab:2026.07"
    with pytest.raises(UsageError, match="no image 'kaggle:latest'"):
        find_stored_image("kaggle:latest", tmp_path)


def test_an_unknown_name_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no image is stored") as empty:
        find_stored_image("colab:2026.07", tmp_path)
    assert "tierproof images sync" in empty.value.hint
    for name in ("colab:2026.07", "colab:2026-08"):
        keep(tmp_path, name)
    for typed, meant in (
        ("colab:2026.08", "colab:2026-08"),
        ("colab:2026.07-tpu", "colab:2026.07"),
        ("colb:2026.07", "colab:2026.07"),
    ):
        with pytest.raises(UsageError, match="there is no image") as raised:
            find_stored_image(typed, tmp_path)
        assert f"Did you mean {meant}" in raised.value.hint


def test_a_later_list_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    first = keep(tmp_path, "colab:2026-08", "a==1\n")
    second = keep(tmp_path, "colab:2026-08", "a==2\n")
    assert list_images(tmp_path) == (second,)
    assert first.path.exists()  # whoever read the index before may still open it
    an_hour_ago = time.time() - 4000
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".index.json.k3j2").write_text("half")
    for path in tmp_path.iterdir():
        os.utime(path, (an_hour_ago, an_hour_ago))
    keep(tmp_path, "other")
    names = {path.name for path in tmp_path.iterdir()}
    assert first.path.name not in names
    assert ".index.json.k3j2" not in names
    assert {"notes.txt", second.path.name, "index.json"} <= names


def test_an_image_that_may_not_be_replaced(tmp_path: Path) -> None:
    kept = keep(tmp_path, "mine", "a==1\n")
    other = verify_list(b"a==2\n", source="x")
    with pytest.raises(UsageError, match="the image mine already exists"):
        store_image(Image("mine", "cpu", Path(), "3.12"), other, tmp_path, replace_other=False)
    assert list_images(tmp_path) == (kept,)
    assert read_contents(kept).file.packages[0].version == "1"


def test_a_damaged_index_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text("[{")
    for attempt in (lambda: list_images(tmp_path), lambda: keep(tmp_path, "mine")):
        with pytest.raises(UsageError, match=r"index\.json is not valid JSON"):
            attempt()
    assert (tmp_path / "index.json").read_text() == "[{"


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError) as raised:
        keep(tmp_path / "file" / "images", "mine")
    assert "TIERPROOF_IMAGES" in raised.value.hint


def test_a_folder_that_another_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_store, "_LOCK_LIMIT_S", 0.0)
    with lock_environment(tmp_path, limit_s=0), pytest.raises(EnvironmentBusyError) as raised:
        keep(tmp_path, "mine")
    assert str(tmp_path) in raised.value.message


WRITE = """
import sys
from pathlib import Path
from tierproof.images.lists.image_index import Image
from tierproof.images.store.image_store import store_image
from tierproof.images.lists.verify_list import verify_list
folder, who = Path(sys.argv[1]), sys.argv[2]
print("up", flush=True)
sys.stdin.readline()
for number in range(12):
    image = Image(f"{who}:{number}", "cpu", Path(), "3.12")
    store_image(image, verify_list(f"a=={number}\\n".encode(), source="x"), folder)
"""


def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, str(tmp_path / "images"), who],
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for who in "abc"
    ]
    for each in writers:
        assert each.stdout is not None
        assert each.stdout.readline() == "up\n"
    for each in writers:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    assert [each.wait(timeout=120) for each in writers] == [0, 0, 0]
    for each in writers:
        each.communicate()
    images = list_images(tmp_path / "images")
    assert {image.name for image in images} == {f"{who}:{number}" for who in "abc" for number in range(12)}
    assert all(is_intact(image) for image in images)
