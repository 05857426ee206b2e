"""The ladder of a plan, on an index made here: no network, the same answer each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.wheelhouse import Wheelhouse, list_versions, make_base
from tierproof.guard.commands.requirement import parse_requirements
from tierproof.guard.judge.judge_plan import judge_requested
from tierproof.guard.judge.plan import Plan, PlanVerdict
from tierproof.guard.resolve.plan_error import PlanError, UnknownPackageError

pytest.importorskip("uv")


def test_satisfied_changes_nothing(house: Wheelhouse) -> None:
    plan = house.plan("numb>=2", base=make_base({"numb": "2.0.2"}))
    assert plan.verdict is PlanVerdict.SATISFIED
    assert (plan.add, list_versions(plan.reuse), plan.exit_code) == ((), ["numb 2.0.2"], 0)


def test_additive_keeps_the_base_where_a_newer_release_exists(house: Wheelhouse) -> None:
    house.add("capt", "0.9", "numb>=2")
    plan = house.plan("capt", base=make_base({"numb": "2.0.2"}, loaded=["numb"]))
    assert plan.verdict is PlanVerdict.ADDITIVE
    assert list_versions(plan.add) == ["capt 0.9"]
    assert list_versions(plan.reuse) == ["numb 2.0.2"]
    assert plan.add[0].bytes > 0
    assert plan.exit_code == 0


def test_local_versions_of_the_base_are_frozen(house: Wheelhouse) -> None:
    house.add("visor", "1.0", "torchy>=2")
    house.add("torchy", "2.13.0")
    plan = house.plan("visor", base=make_base({"torchy": "2.11.0+cu128", "numb": "2.0.2"}))
    assert plan.verdict is PlanVerdict.ADDITIVE
    assert list_versions(plan.reuse) == ["torchy 2.11.0+cu128"]


def test_a_package_of_the_base_that_no_index_has_is_frozen(house: Wheelhouse) -> None:
    house.add("tool", "1.0", "editable-project")
    plan = house.plan("tool", base=make_base({"editable-project": "0.1.dev3+g12ab"}))
    assert plan.verdict is PlanVerdict.ADDITIVE


def test_extras_of_added_and_installed_packages(house: Wheelhouse) -> None:
    house.add("ray", "2.0", "pillar; extra == 'tune'", extras=["tune"])
    house.add("pillar", "1.0")
    house.add("spark", "3.0")
    base = make_base({"frame": "1.0"}, {"frame": ["spark>=3; extra == 'sql'"]})
    plan = house.plan("ray[tune]", "frame[sql]", base=base)
    assert plan.verdict is PlanVerdict.ADDITIVE
    assert list_versions(plan.add) == ["pillar 1.0", "ray 2.0", "spark 3.0"]


def test_a_marker_that_does_not_hold_leaves_its_requirement_out(house: Wheelhouse) -> None:
    plan = house.plan("nowhere; python_version < '3'", base=make_base({"numb": "2.0.2"}))
    assert plan.verdict is PlanVerdict.SATISFIED
    assert "Skipped because its environment marker does not hold here: nowhere" in plan.explanation


def test_infeasible_says_that_nothing_serves(house: Wheelhouse) -> None:
    plan = house.plan("numb>=9", base=make_base({}))
    assert plan.verdict is PlanVerdict.INFEASIBLE
    assert plan.exit_code == 1
    assert "numb>=9" in plan.explanation


def test_unknown_package_is_an_error(house: Wheelhouse) -> None:
    with pytest.raises(UnknownPackageError, match="nowhere-at-all"):
        house.plan("Nowhere.at_all", base=make_base({"numb": "2.0.2"}))


def test_unknown_beside_a_loaded_conflict_is_an_error(house: Wheelhouse) -> None:
    with pytest.raises(UnknownPackageError, match="nowhere"):
        house.plan("numb==2.3.4", "nowhere", base=make_base({"numb": "2.0.2"}, loaded=["numb"]))


def test_no_network_is_an_error_without_credentials(house: Wheelhouse) -> None:
    environment = {
        **house.environment,
        "UV_DEFAULT_INDEX": "http://me:secret@127.0.0.1:9/simple",
        "UV_HTTP_RETRIES": "0",
    }
    with pytest.raises(PlanError) as raised:
        house.plan("capt", base=make_base({"numb": "2.0.2"}), environment=environment)
    assert "secret" not in str(raised.value)
    assert "network" in str(raised.value)


def test_aged_is_told_and_the_verdict_stays(house: Wheelhouse) -> None:
    house.add("capt", "0.0.1")
    house.add("capt", "2.0", "numb>=2.3")
    plan = house.plan("capt", base=make_base({"numb": "2.0.2"}, loaded=["numb"]))
    assert plan.verdict is PlanVerdict.ADDITIVE
    assert [(item.name, item.version, item.latest) for item in plan.aged] == [("capt", "0.0.1", "2.0")]
    assert plan.exit_code == 1
    assert "latest: 2.0" in plan.explanation


@pytest.mark.parametrize("request_", ["numb==99", "nowhere"])
def test_nothing_is_proven_where_an_index_is_out_of_reach(house: Wheelhouse, request_: str) -> None:
    environment = {**house.environment, "UV_INDEX": "http://127.0.0.1:9/simple"}
    plan = house.plan(request_, base=make_base({"numb": "2.0.2"}), environment=environment)
    assert plan.verdict is PlanVerdict.UNKNOWN
    assert [gap.cause.value for gap in plan.gaps] == ["index"]


def test_a_repository_of_which_nothing_is_known_leaves_the_rest_to_be_judged(house: Wheelhouse) -> None:
    house.add("capt", "1.0")
    request = ("git+https://127.0.0.1:9/nobody/nothing.git", "numb==2.3.4", "capt")
    plan = house.plan(*request, base=make_base({"numb": "2.0.2"}, loaded=["numb"]))
    assert (plan.verdict, plan.judged) == (PlanVerdict.UNKNOWN, PlanVerdict.ISOLATED)
    assert plan.fits_without == ("numb==2.3.4",)
    alone = house.plan(request[0], base=make_base({"numb": "2.0.2"}))
    assert alone.verdict is PlanVerdict.UNKNOWN


def test_a_release_taken_because_newer_ones_have_no_wheel_is_aged(house: Wheelhouse, tmp_path: Path) -> None:
    house.add("deep", "0.0.1")
    house.add_source("deep", "2.0", tmp_path / "built")
    plan = house.plan("deep", base=make_base({}))
    assert [(item.name, item.version, item.latest) for item in plan.aged] == [("deep", "0.0.1", "2.0")]
    assert plan.exit_code == 1
    assert not (tmp_path / "built").exists()


def test_a_version_that_the_request_pins_is_not_aged(house: Wheelhouse) -> None:
    house.add("capt", "0.0.1")
    house.add("capt", "2.0")
    for request in ("capt==0.0.1", "capt<1"):
        plan = house.plan(request, base=make_base({}))
        assert (plan.verdict, plan.aged) == (PlanVerdict.ADDITIVE, ())


def test_a_bound_that_the_base_breaks_already_is_no_obstacle(house: Wheelhouse) -> None:
    house.add("tool", "1.0", "shell")
    base = make_base({"shell": "7.0", "numb": "2.0.2"}, {"shell": ["numb<2", "this is no requirement"]})
    assert house.plan("tool", base=base).verdict is PlanVerdict.ADDITIVE


def test_a_plan_leaves_no_file(house: Wheelhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    house.add("capt", "0.9")
    house.plan("capt", base=make_base({"numb": "2.0.2"}))
    assert list(temporary.iterdir()) == []


def test_the_same_plan_twice(house: Wheelhouse) -> None:
    house.add("capt", "0.9", "numb>=2")
    base = make_base({"numb": "2.0.2"})

    def document(plan: Plan) -> dict[str, object]:
        return {**plan.to_dict(), "duration_s": 0}

    assert document(house.plan("capt", base=base)) == document(house.plan("capt", base=base))


def test_without_the_pin_that_conflicts_the_rest_is_offered(house: Wheelhouse) -> None:
    house.add("capt", "0.9", "numb")
    house.add("shade", "1.0", "wide>=2")
    house.add("wide", "2.0")
    base = make_base({"numb": "2.0.2", "wide": "1.0"}, loaded=["numb"])
    plan = house.plan("capt", "numb==2.3.4", base=base)
    assert (plan.verdict, plan.fits_without) == (PlanVerdict.ISOLATED, ("numb==2.3.4",))
    assert plan.rest is not None
    assert (plan.rest.verdict, plan.rest.requested) == (PlanVerdict.ADDITIVE, ("capt",))
    assert "Without numb==2.3.4, the other requirements fit (verdict additive)" in plan.explanation
    assert Plan.from_dict(plan.to_dict()) == plan
    shaded = house.plan("shade", "numb==2.3.4", base=base)
    assert shaded.rest is not None
    assert shaded.rest.verdict is PlanVerdict.SHADOW
    refused = house.plan("capt", "numb>=9", base=base)
    assert (refused.verdict, refused.fits_without) == (PlanVerdict.INFEASIBLE, ("numb>=9",))
    assert house.plan("numb==2.3.4", base=base).rest is None
    house.add("torch", "2.13.0")
    heavy = house.plan("capt", "torch", base=base)
    assert (heavy.verdict, heavy.fits_without) == (PlanVerdict.ISOLATED, ("torch",))


@pytest.mark.parametrize("request_", ["app", "wide==0.9", "wide<1"])
def test_a_major_step_back_is_aged_whichever_package_takes_it(house: Wheelhouse, request_: str) -> None:
    house.add("app", "1.0", "wide<1")
    house.add("wide", "0.9")
    house.add("wide", "2.0.8")
    plan = house.plan(request_, base=make_base({"wide": "2.0.8"}))
    assert plan.verdict is PlanVerdict.SHADOW
    assert [(item.name, item.version, item.latest) for item in plan.aged] == [("wide", "0.9", "2.0.8")]
    assert "wide 0.9" in plan.explanation
    house.add("minor", "1.0", "wide<2.0.8,>=2")
    house.add("wide", "2.0.1")
    assert house.plan("minor", base=make_base({"wide": "2.0.8"})).aged == ()


def test_no_dependencies_means_none(house: Wheelhouse) -> None:
    house.add("needy", "1.0", "numb>=9")
    plan = judge_requested(
        parse_requirements(["needy"]),
        make_base({"numb": "2.0.2"}, loaded=["numb"]),
        environment=house.environment,
        dependencies=False,
    ).plan
    assert (plan.verdict, list_versions(plan.add)) == (PlanVerdict.ADDITIVE, ["needy 1.0"])


def test_a_build_that_is_allowed_is_judged_by_its_own_metadata(house: Wheelhouse) -> None:
    house.add_buildable("alone", "1.0", "", ["numb>=2.3"])
    base = make_base({"numb": "2.0.2"}, loaded=["numb"])
    unknown = house.plan("alone", base=base)
    assert (unknown.verdict, unknown.judged) == (PlanVerdict.UNKNOWN, PlanVerdict.WAIVER)
    built = house.plan("alone", base=base, allow_build=["alone"])
    assert (built.verdict, built.gaps) == (PlanVerdict.WAIVER, ())
    house.add("user", "1.0", "alone")
    assert [gap.name for gap in house.plan("user", base=base).gaps] == ["alone"]


def test_a_release_for_another_python_is_never_planned(house: Wheelhouse) -> None:
    house.add("tool", "2.0", requires_python="<3")
    house.add("tool", "1.0")
    assert list_versions(house.plan("tool", base=make_base({})).add) == ["tool 1.0"]
    plan = house.plan("tool==2.0", base=make_base({}))
    assert plan.verdict is PlanVerdict.INFEASIBLE
    assert "tool 2.0 needs Python <3" in plan.explanation
