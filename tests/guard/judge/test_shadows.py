"""Plans that would replace what the base has: shadows, waivers and what runs isolated."""

from __future__ import annotations

import pytest

from guard.wheelhouse import Wheelhouse, list_versions, make_base
from tierproof.guard.judge.plan import Conflict, PlanVerdict

pytest.importorskip("uv")


def test_waiver_names_the_one_bound_that_stands_in_the_way(house: Wheelhouse) -> None:
    house.add("open3d", "0.20", "widgets>=8.0.4", "numb>=2", "dash")
    house.add("dash", "4.0")
    house.add("widgets", "8.1.9")
    base = make_base({"widgets": "7.7.1", "numb": "2.0.2"}, loaded=["widgets", "numb"])
    plan = house.plan("open3d", base=base)
    assert plan.verdict is PlanVerdict.WAIVER
    assert plan.conflicts == (Conflict("widgets", "7.7.1", ">=8.0.4", "open3d"),)
    assert "open3d needs widgets ≥ 8.0.4; this kernel has 7.7.1 (loaded)" in plan.explanation
    assert plan.touches_loaded == ("widgets",)
    assert list_versions(plan.add) == ["dash 4.0", "open3d 0.20"]
    assert plan.exit_code == 1


def test_waiver_leaves_out_a_bound_that_another_release_avoids(house: Wheelhouse) -> None:
    house.add("app", "1.0", "widgets>=8", "lib")
    house.add("lib", "1.0", "numb>=2")
    house.add("lib", "2.0", "numb>=2.3")
    base = make_base({"widgets": "7.7.1", "numb": "2.0.2"}, loaded=["widgets", "numb"])
    plan = house.plan("app", base=base)
    assert plan.verdict is PlanVerdict.WAIVER
    assert [item.package for item in plan.conflicts] == ["widgets"]
    assert "lib 1.0" in list_versions(plan.add)


def test_shadow_changes_only_what_nobody_has_loaded(house: Wheelhouse) -> None:
    house.add("sets", "4.4", "arrow>=2")
    house.add("arrow", "1.0")
    house.add("arrow", "2.0")
    base = make_base(
        {"sets": "4.0", "arrow": "1.0", "numb": "2.0.2"}, {"sets": ["arrow>=1"]}, loaded=["numb"]
    )
    plan = house.plan("sets>=4.4", base=base)
    assert plan.verdict is PlanVerdict.SHADOW
    assert [(item.name, item.base, item.version) for item in plan.shadows] == [
        ("arrow", "1.0", "2.0"),
        ("sets", "4.0", "4.4"),
    ]
    assert plan.shadows[0].dependents == ("sets",)
    assert (plan.exit_code, plan.touches_loaded, plan.add) == (1, (), ())


def test_shadow_honours_what_the_base_declares(house: Wheelhouse) -> None:
    for version in ("1.0", "2.0", "3.0"):
        house.add("token", version)
    house.add("chat", "1.0", "token>=2")
    base = make_base({"token": "1.0", "former": "5.0"}, {"former": ["token<3"]}, loaded=["former"])
    plan = house.plan("chat", base=base)
    assert plan.verdict is PlanVerdict.SHADOW
    assert [(item.version, item.dependents) for item in plan.shadows] == [("2.0", ("former",))]


def test_shadow_takes_along_a_dependent_that_nobody_has_loaded(house: Wheelhouse) -> None:
    house.add("token", "2.0")
    house.add("chat", "1.0", "token>=2")
    house.add("former", "5.0", "token<2")
    house.add("former", "6.0", "token>=2")
    base = make_base({"token": "1.0", "former": "5.0"}, {"former": ["token<2"]})
    plan = house.plan("chat", base=base)
    assert plan.verdict is PlanVerdict.SHADOW
    assert [f"{item.name} {item.version}" for item in plan.shadows] == ["former 6.0", "token 2.0"]


def test_no_shadow_that_a_loaded_dependent_forbids(house: Wheelhouse) -> None:
    house.add("token", "2.0")
    house.add("chat", "1.0", "token>=2")
    base = make_base({"token": "1.0", "former": "5.0"}, {"former": ["token<2"]}, loaded=["former"])
    plan = house.plan("chat", base=base)
    assert plan.verdict is PlanVerdict.WAIVER
    assert plan.conflicts == (Conflict("token", "1.0", ">=2", "chat"),)


def test_what_a_loaded_package_needs_is_named_where_it_stands_in_the_way(house: Wheelhouse) -> None:
    house.add("token", "2.0")
    base = make_base({"token": "1.0", "former": "5.0"}, {"former": ["token<2"]}, loaded=["former"])
    plan = house.plan("token>=2", base=base)
    assert plan.verdict is PlanVerdict.ISOLATED
    assert "The requested versions would break loaded packages: former needs token < 2." in plan.explanation


def test_what_is_loaded_and_would_come_along_is_named(house: Wheelhouse) -> None:
    house.add("token", "2.0", "numb>=2.3")
    plan = house.plan("token>=2", base=make_base({"token": "1.0", "numb": "2.0.2"}, loaded=["numb"]))
    assert plan.verdict is PlanVerdict.ISOLATED
    assert "The request would also bring other versions of packages in use: numb 2.3.4." in plan.explanation
    assert plan.touches_loaded == ("numb",)


def test_a_search_for_a_shadow_ends(house: Wheelhouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tierproof.guard.resolve.resolve._PATIENCE_S", -1.0)
    house.add("token", "2.0")
    house.add("chat", "1.0", "token>=2")
    house.add("former", "6.0", "token>=2")
    base = make_base({"token": "1.0", "former": "5.0"}, {"former": ["token<2"]})
    assert house.plan("chat", base=base).verdict is PlanVerdict.WAIVER


def test_a_shadow_that_nothing_forces_is_left_out(house: Wheelhouse) -> None:
    house.add("chat", "2.0", "token>=2")
    house.add("token", "2.0", "numb>=2; extra == 'fast'", extras=["fast"])
    base = make_base(
        {"chat": "1.0", "token": "1.0", "numb": "2.0.2"}, {"chat": ["token<2"], "token": ["chat"]}
    )
    plan = house.plan("chat>=2", base=base)
    assert [item.name for item in plan.shadows] == ["chat", "token"]


def test_the_requested_package_in_an_older_version_than_installed_is_aged(house: Wheelhouse) -> None:
    for version, need in (("0.9", "numb"), ("1.0", "numb"), ("2.0", "numb>=2.3")):
        house.add("capt", version, need)
    house.add("tool", "1.0", "capt<1")
    base = make_base({"capt": "1.0", "numb": "2.0.2"}, loaded=["numb"])
    plan = house.plan("tool", "capt", base=base)
    assert (plan.verdict, [item.name for item in plan.aged]) == (PlanVerdict.SHADOW, ["capt"])


def test_what_need_not_change_is_frozen_again(house: Wheelhouse, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("aside", "base-lib", "other"):
        house.add(name, "2.0")
    house.add("app", "1.0")
    house.add("app", "2.0", "aside>=2", "other>=2")
    base = make_base({"aside": "1.0", "base-lib": "1.0", "other": "1.0", "numb": "2.0.2"}, loaded=["numb"])
    kept = house.plan("base-lib>=2", "app", base=base)
    assert [item.name for item in kept.shadows] == ["aside", "base-lib", "other"]  # app 2.0 forces two
    monkeypatch.setattr(
        "tierproof.guard.judge.shadow.read_locked_requires", lambda *_: None
    )  # nobody tells: it is tried
    tried = house.plan("base-lib>=2", "app", base=base)
    assert [item.name for item in tried.shadows] == ["base-lib"]
    assert list_versions(tried.add) == ["app 1.0"]


def test_what_must_change_is_tried_by_halves_and_stays(
    house: Wheelhouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("aside", "other", "third"):
        house.add(name, "2.0")
    house.add("app", "1.0", "aside>=2; extra == 'fast'", "other>=2", extras=["fast"])
    base = make_base({"aside": "1.0", "other": "1.0", "third": "1.0"})
    assert [item.name for item in house.plan("app[fast]", base=base).shadows] == ["aside", "other"]
    monkeypatch.setattr("tierproof.guard.judge.shadow.read_locked_requires", lambda *_: None)
    assert [item.name for item in house.plan("app[fast]", base=base).shadows] == ["aside", "other"]


def test_dependents_that_cannot_be_made_content_forbid_a_shadow(house: Wheelhouse) -> None:
    house.add("token", "2.0")
    house.add("former", "5.0", "token<2")
    base = make_base({"token": "1.0", "former": "5.0"}, {"former": ["token<2"]})
    assert house.plan("token>=2", base=base).verdict is PlanVerdict.ISOLATED


def test_what_only_asks_the_driver_is_no_accelerator(house: Wheelhouse) -> None:
    house.add("nvidia-ml-py", "13.0")
    assert house.plan("nvidia-ml-py", base=make_base({"numb": "2.0.2"})).verdict is PlanVerdict.ADDITIVE
    house.add("nvidia-cublas-cu12", "12.0")
    assert house.plan("nvidia-cublas-cu12", base=make_base({"numb": "2.0.2"})).verdict is PlanVerdict.ISOLATED


def test_another_version_of_what_is_loaded_runs_isolated(house: Wheelhouse) -> None:
    base = make_base({"numb": "2.0.2"}, loaded=["numb"])
    plan = house.plan("numb==2.3.4", base=base)
    assert plan.verdict is PlanVerdict.ISOLATED
    assert plan.conflicts == (Conflict("numb", "2.0.2", "==2.3.4", "the request"),)
    assert plan.touches_loaded == ("numb",)
    assert list_versions(plan.add) == ["numb 2.3.4"]
    assert "asks for numb 2.3.4; this kernel has 2.0.2 (loaded)" in plan.explanation


@pytest.mark.parametrize("name", ["torch", "jax", "triton", "nvidia-cublas-cu12", "ipykernel"])
def test_accelerators_and_the_kernel_itself_are_never_shadowed(house: Wheelhouse, name: str) -> None:
    house.add(name, "2.0")
    plan = house.plan(f"{name}>=2", base=make_base({name: "1.0"}))
    assert plan.verdict is PlanVerdict.ISOLATED
    assert list_versions(plan.add) == [f"{name} 2.0"]


def test_an_addition_that_brings_torch_runs_isolated(house: Wheelhouse) -> None:
    house.add("torch", "2.13.0")
    house.add("capt", "0.9", "torch")
    plan = house.plan("capt", base=make_base({"numb": "2.0.2"}))
    assert plan.verdict is PlanVerdict.ISOLATED
    assert "tierproof never adds torch to a running kernel" in plan.explanation
