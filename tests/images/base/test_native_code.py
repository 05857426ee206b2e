"""Which packages have compiled code: from wheel names, from an index made here, from what is installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from guard.wheelhouse import Wheelhouse
from tierproof.guard.resolve.index_settings import read_index_settings
from tierproof.images.base.native_cache import open_native_cache
from tierproof.images.base.native_code import find_native
from tierproof.images.lists.freeze_file import parse_freeze
from tierproof.images.lists.here_image import capture_here
from tierproof.images.lists.image_contents import ImageContents
from tierproof.images.lists.image_index import Image
from tierproof.images.tell.compare_images import compare_images

pytest.importorskip("uv")


@pytest.fixture
def house(tmp_path: Path) -> Wheelhouse:
    made = Wheelhouse(tmp_path / "house")
    made.add("pure", "1.0")
    made.add("compiled", "1.0", tag="cp312-cp312-manylinux_2_17_x86_64")
    made.add("stable", "1.0", tag="cp39-abi3-manylinux_2_17_x86_64")
    made.add("either", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    made.add("either", "1.0")
    made.add("elsewhere", "1.0", tag="cp312-cp312-win_amd64")
    made.add_source("source", "1.0", tmp_path / "built")
    return made


def make(lines: str, python: str = "3.12.12", name: str = "x") -> ImageContents:
    return ImageContents(Image(name, "cpu", Path(), python, "Ubuntu 22.04.5 LTS"), parse_freeze(lines))


def ask(house: Wheelhouse, contents: ImageContents, *, offline: bool = False) -> dict[str, bool]:
    names = {item.name for item in contents.file.packages}
    settings = None if offline else read_index_settings(house.environment)
    found = find_native(contents, names, settings, open_native_cache(house.folder / "native.json"))
    return {name: native for (name, _), native in found.items()}


def test_wheels_tell_and_nothing_is_guessed(house: Wheelhouse) -> None:
    lines = "pure==1.0\ncompiled==1.0+cu128\nstable==1.0\neither==1.0\nelsewhere==1.0\nsource==1.0\nnowhere==1.0\n"
    found = ask(house, make(lines))
    assert found == {"pure": False, "compiled": True, "stable": True, "either": False}
    assert ask(house, make("either==1.0\n", "3.11.5")) == {"either": True}
    assert not (house.folder.parent / "built").exists()


def test_an_answer_is_kept(house: Wheelhouse) -> None:
    lines = "pure==1.0\ncompiled==1.0\nsource==1.0\n"
    first = ask(house, make(lines))
    assert ask(house, make(lines), offline=True) == first
    assert ask(house, make(lines, "3.11.5"), offline=True) == {}  # another Python may take another wheel
    (house.folder / "native.json").write_text(json.dumps({"format": 1, "native": {"pure==1.0": "yes"}}))
    assert ask(house, make(lines), offline=True) == {}


def test_urls_tell_by_themselves(house: Wheelhouse) -> None:
    lines = (
        "en-core @ https://h/en_core-3.8-py3-none-any.whl\n"
        "cudf @ https://h/cudf-25.6-cp312-cp312-manylinux_2_28_x86_64.whl#sha256=00\n"
        "lightgbm @ file:///t/lightgbm-4.6.0-py3-none-linux_x86_64.whl\n"
        "colab @ file:///d/colab-1.0.0.tar.gz\n"
        "tool @ git+https://h/tool@abc\n"
    )
    assert ask(house, make(lines), offline=True) == {"en-core": False, "cudf": True, "lightgbm": True}


def test_what_is_installed_here_tells_by_its_wheel_file() -> None:
    here = capture_here()
    found = find_native(here, {"pytest", "coverage", "packaging"}, None, open_native_cache())
    told = {name: native for (name, _), native in found.items()}
    assert told["pytest"] is False
    assert all(version for _, version in found)


def test_a_comparison_asks_for_what_moved_alone(house: Wheelhouse, tmp_path: Path) -> None:
    house.add("pure", "2.0")
    house.add("compiled", "2.0", tag="cp313-cp313-manylinux_2_17_x86_64")
    before = make("pure==1.0\ncompiled==1.0\nstable==1.0\n")
    after = make("pure==2.0\ncompiled==2.0\nstable==1.0\n", "3.13.1", "y")
    diff = compare_images(
        before, after, ask_index=True, environment=house.environment, cache_path=tmp_path / "n.json"
    )
    assert [(each.name, each.native) for each in diff.changed] == [("compiled", True), ("pure", False)]
    assert diff.notes == ()
    assert "stable" not in (tmp_path / "n.json").read_text()


def test_without_an_index_it_is_said(house: Wheelhouse, tmp_path: Path) -> None:
    environment = {
        **house.environment,
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
        "UV_HTTP_RETRIES": "0",
    }
    before, after = make("pure==1.0\n"), make("pure==2.0\n")
    diff = compare_images(
        before, after, ask_index=True, environment=environment, cache_path=tmp_path / "n.json"
    )
    assert diff.changed[0].native is None
    assert "cannot ask the package index" in diff.notes[0]
    assert len(diff.notes) == 1


def test_nobody_is_asked_unless_it_was_wished(house: Wheelhouse, tmp_path: Path) -> None:
    before, after = make("pure==1.0\nx @ https://h/x-1-py3-none-any.whl\n"), make("pure==2.0\nx==2\n")
    unreachable = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}
    house.add("pure", "2.0")
    cache = tmp_path / "n.json"
    diff = compare_images(before, after, environment=unreachable, cache_path=cache)
    assert ([each.native for each in diff.changed], diff.notes) == ([None, None], ())
    assert not cache.exists()
    compare_images(before, after, ask_index=True, environment=house.environment, cache_path=cache)
    kept = compare_images(before, after, environment=unreachable, cache_path=cache)
    assert [each.native for each in kept.changed if each.name == "pure"] == [False]


@pytest.mark.skipif(sys.platform != "linux", reason="its platform is known here")
def test_an_image_whose_python_nobody_knows(house: Wheelhouse, tmp_path: Path) -> None:
    diff = compare_images(
        make("pure==1.0\n", ""),
        make("pure==2.0\n", ""),
        ask_index=True,
        environment=house.environment,
        cache_path=tmp_path / "n.json",
    )
    assert (diff.changed[0].native, diff.notes) == (None, ())
