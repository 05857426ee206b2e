"""Packages that would overwrite modules of loaded ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from guard.wheelhouse import Wheelhouse, make_base
from tierproof.guard.capture.base import Base
from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.capture.loaded_distributions import Loaded
from tierproof.guard.commands.pip_command import parse_pip_commands
from tierproof.guard.foresee import overwritten_files
from tierproof.guard.foresee.foresee_pip import foresee
from tierproof.guard.foresee.foreseen import Foreseen

pytest.importorskip("uv")
FILES = {"vision/__init__.py": "", "vision/core.py": ""}


@pytest.fixture
def house(tmp_path: Path) -> Wheelhouse:
    house = Wheelhouse(tmp_path / "house")
    house.add("vision-python", "4.13", files=FILES)
    house.add("vision-python-headless", "4.8", files=FILES)
    house.add("brings", "1.0", "vision-python-headless")
    house.add("beside", "1.0", files={"vision_more/__init__.py": "", "tests/__init__.py": ""})
    house.add("inside", "1.0", files={"vision/extra.py": ""})
    return house


def make_installed(folder: Path, loaded: bool = True) -> Base:
    metadata = folder / "vision_python-4.13.dist-info"
    metadata.mkdir(parents=True)
    lines = [*FILES, "tests/__init__.py", "vision_python-4.13.dist-info/METADATA"]
    (metadata / "RECORD").write_text("".join(f"{line},,\n" for line in lines))
    base = make_base({"vision-python": "4.13"})
    item = InstalledDistribution("vision-python", "4.13", metadata, folder)
    names = frozenset({"vision-python"}) if loaded else frozenset()
    return Base(
        "here", base.executable, base.python, base.markers, (str(folder),), (item,), Loaded(names, "")
    )


def look(house: Wheelhouse, base: Base, text: str) -> Foreseen:
    environment = {**house.environment, "PIP_INDEX_URL": house.url, "PIP_CONFIG_FILE": "/dev/null"}
    environment.pop("UV_DEFAULT_INDEX")
    (command,) = parse_pip_commands(text, environment)
    return foresee(command, base, environment=environment)


@pytest.mark.parametrize("name", ["vision-python-headless", "brings"])
def test_to_overwrite_what_is_loaded_is_to_replace_it(
    house: Wheelhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, "vision", sys)
    found = look(house, make_installed(tmp_path / "site"), f"pip install {name}")
    assert [change.describe() for change in found.harms] == [
        "vision-python 4.13 -> files overwritten by vision-python-headless 4.8"
    ]


def test_other_files_and_what_is_not_loaded_are_no_harm(
    house: Wheelhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vision", sys)
    base = make_installed(tmp_path / "site")
    for name in ("beside", "inside"):
        assert look(house, base, f"pip install {name}").changes == ()
    idle = make_installed(tmp_path / "other", loaded=False)
    assert look(house, idle, "pip install vision-python-headless").harms == ()


@pytest.mark.parametrize(("name", "told"), [("vision-python-headless", True), ("beside", False)])
def test_files_that_cannot_be_read_are_a_gap_where_a_name_is_shared(
    house: Wheelhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: bool
) -> None:
    monkeypatch.setitem(sys.modules, "vision", sys)
    monkeypatch.setattr(overwritten_files, "read_wheel_files", lambda *_: None)
    found = look(house, make_installed(tmp_path / "site"), f"pip install {name}")
    assert found.harms == ()
    assert ["may overwrite files of the loaded vision-python" in gap.reason for gap in found.gaps] == [
        True
    ] * told


def test_dependencies_that_are_left_out_overwrite_nothing(
    house: Wheelhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vision", sys)
    base = make_installed(tmp_path / "site")
    assert look(house, base, "pip install --no-deps brings").harms == ()
    for command in (
        "pip install -q --no-deps vision-python-headless==4.8",
        "uv pip install vision-python-headless",
    ):
        assert [change.name for change in look(house, base, command).harms] == ["vision-python"]
