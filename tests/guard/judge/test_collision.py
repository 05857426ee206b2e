"""Wheels whose files collide with installed ones: the plan knows before anything is fetched, and offers no install."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from guard.fake_site import install
from guard.throwaway import Throwaway
from guard.wheelhouse import Wheelhouse, make_base
from tierproof.guard.capture.base import Base
from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.capture.loaded_distributions import Loaded
from tierproof.guard.judge import collision
from tierproof.guard.judge.plan import Plan, PlanVerdict
from tierproof.guard.judge.ways import list_ways
from tierproof.guard.resolve.lock import LockedPackage

pytest.importorskip("uv")

FILES = {"vision/__init__.py": "", "vision/core.py": "v = 1\n"}
SPACE = {"space/vision.py": "", "tests/__init__.py": ""}


def make_here(folder: Path, packages: dict[str, dict[str, str]], loaded: tuple[str, ...] = ()) -> Base:
    """A base on disk, of packages in version 4.13."""
    folder.mkdir()
    found = tuple(
        InstalledDistribution(name, "4.13", install(folder, name, "4.13", files), folder)
        for name, files in packages.items()
    )
    base = make_base({})
    return dataclasses.replace(
        base, paths=(str(folder),), installed=found, loaded=Loaded(frozenset(loaded), "")
    )


def spell(plan: Plan) -> str:
    return "\n".join(way.line for way in list_ways(plan))


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("vision-python-headless", FILES),
        ("vision-more", {"vision/extra.py": ""}),
        ("vision-flat", {"vision.py": ""}),
        ("vision", {"other/__init__.py": "", "vision/__init__.py": ""}),
        ("brings", {"brings.py": ""}),
    ],
)
@pytest.mark.parametrize("loaded", [True, False])
def test_a_wheel_that_shares_a_module_with_an_installed_package_is_not_offered(
    house: Wheelhouse, tmp_path: Path, name: str, files: dict[str, str], loaded: bool
) -> None:
    base = make_here(tmp_path / "site", {"vision-python": FILES}, loaded=("vision-python",) if loaded else ())
    house.add("vision-deep", "1.0", files=FILES)
    house.add(name, "4.8", *(["vision-deep"] if name == "brings" else []), files=files)
    plan = house.plan(name, base=base)
    assert plan.verdict is PlanVerdict.ISOLATED
    assert "and the installed vision-python 4.13 both contain the module vision" in plan.explanation
    assert plan.touches_loaded == (("vision-python",) if loaded else ())
    assert "%tierproof install" not in spell(plan)
    assert f"tp.isolated(['{name}'], function, *arguments)" in spell(plan)
    assert f"!tierproof run --with {name} -- " in spell(plan)


def test_without_the_wheel_that_collides_the_rest_is_offered(house: Wheelhouse, tmp_path: Path) -> None:
    base = make_here(tmp_path / "site", {"vision-python": FILES})
    house.add("vision-headless", "4.8", files=FILES)
    house.add("capt", "1.0")
    plan = house.plan("vision-headless", "capt", base=base)
    assert (plan.verdict, plan.fits_without) == (PlanVerdict.ISOLATED, ("vision-headless",))
    assert "%tierproof install capt\n" in spell(plan) + "\n"


def test_the_name_of_an_installed_module_is_enough_to_look(house: Wheelhouse, tmp_path: Path) -> None:
    """`attr` is a module of `attrs`, and another package's name; one file may belong to no package."""
    base = make_here(tmp_path / "site", {"attributes": {"attr/__init__.py": ""}})
    (tmp_path / "site" / "stray.py").write_text("")
    house.add("attr", "0.3", files={"attr.py": ""})
    house.add("stray", "1.0")
    plan = house.plan("attr", base=base)
    assert plan.verdict is PlanVerdict.ISOLATED
    assert "attr 0.3 and the installed attributes 4.13 both contain the module attr" in plan.explanation
    other = house.plan("stray", base=base)
    assert other.verdict is PlanVerdict.ISOLATED
    assert f"stray 1.0 contains the module stray, which is installed as {tmp_path}" in other.explanation


@pytest.mark.parametrize(
    "files",
    [
        {"vision_more/__init__.py": "", "tests/__init__.py": ""},
        {"space/more.py": "", "tests/__init__.py": ""},
        {"vision/data.txt": ""},
    ],
)
def test_namespaces_strays_and_data_are_shared(
    house: Wheelhouse, tmp_path: Path, files: dict[str, str]
) -> None:
    base = make_here(tmp_path / "site", {"vision-python": FILES, "space-vision": SPACE})
    house.add("vision-beside", "1.0", files=files)
    assert house.plan("vision-beside", base=base).verdict is PlanVerdict.ADDITIVE


def test_a_shadow_does_not_collide_with_the_version_that_it_overrides(
    house: Wheelhouse, tmp_path: Path
) -> None:
    base = make_here(tmp_path / "site", {"vision-python": FILES})
    house.add("vision-python", "5.0", files=FILES)
    assert house.plan("vision-python>=5", base=base).verdict is PlanVerdict.SHADOW
    house.add("vision-user", "1.0", "vision-python>=5", files={"vision/extra.py": ""})
    plan = house.plan("vision-user", base=base)
    assert plan.verdict is PlanVerdict.SHADOW, plan.explanation


def test_ordinary_packages_cost_no_look_and_an_unreadable_wheel_is_left_to_the_install(
    house: Wheelhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refuse(item: LockedPackage, _: object) -> None:
        asked.append(item.name)

    monkeypatch.setattr(collision, "read_wheel_files", refuse)
    base = make_here(tmp_path / "site", {"vision-python": FILES})
    house.add("capt", "1.0", "numb")
    house.add("vision-headless", "4.8", files=FILES)
    assert house.plan("capt", base=base).verdict is PlanVerdict.ADDITIVE
    assert asked == []
    assert house.plan("vision-headless", base=base).verdict is PlanVerdict.ADDITIVE
    assert asked == ["vision-headless"]


def test_what_was_read_of_a_wheel_before_counts_whatever_its_name(
    house: Wheelhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch reads the files of all that comes new: the advice that it prints rests on the same."""
    base = make_here(tmp_path / "site", {"vision-python": FILES})
    house.add("sight", "1.0", files=FILES)
    assert house.plan("sight", base=base).verdict is PlanVerdict.ADDITIVE
    monkeypatch.setattr(collision, "recall_wheel_files", lambda _: frozenset(FILES))
    assert house.plan("sight", base=base).verdict is PlanVerdict.ISOLATED


def test_on_another_machine_the_wheels_of_like_names_are_compared(house: Wheelhouse) -> None:
    house.add("vision-python", "4.13", files=FILES)
    house.add("vision-space", "4.13", files=SPACE)
    house.add("vision-headless", "4.8", files=FILES)
    house.add("vision-beside", "1.0", files={"space/more.py": ""})
    installed = {"vision-python": "4.13", "vision-space": "4.13", "vision-local": "1.0+cu128"}
    base = dataclasses.replace(make_base(installed), platform="x86_64-manylinux_2_35")
    plan = house.plan("vision-headless", base=base)
    assert plan.verdict is PlanVerdict.ISOLATED
    assert "vision-headless 4.8 and the installed vision-python 4.13 both contain" in plan.explanation
    assert house.plan("vision-beside", base=base).verdict is PlanVerdict.ADDITIVE


def test_what_tierproof_added_earlier_counts_as_installed(tmp_path: Path) -> None:
    here = Throwaway(tmp_path)
    here.index.add("vision-python", "4.13", files=FILES)
    here.index.add("vision-headless", "4.8", files={**FILES, "vision/core.py": "v = 2\n"})
    here.index.add("vision-equal", "1.0", files={"vision/__init__.py": "", "vision_equal.py": ""})
    here.install("vision-python")
    done = here.command("plan", "--json", "vision-headless")
    plan = json.loads(done.stdout)
    assert plan["verdict"] == "isolated"
    assert "and the installed vision-python 4.13 both contain the module vision" in plan["explanation"]
    refused = here.command("install", "vision-headless")
    assert refused.returncode == 1
    assert "fetching" not in refused.stderr
    assert json.loads(here.command("plan", "--json", "vision-equal").stdout)["verdict"] == "additive"
    here.install("vision-equal")
