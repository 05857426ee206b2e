"""The ladder of a plan, on an index made here: no network, the same answer each time."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from guard.wheelhouse import Wheelhouse, make_base, write_wheel
from tierproof.guard.commands.requirement import parse_requirements
from tierproof.guard.judge.judge_plan import judge_requested
from tierproof.guard.judge.plan import Conflict, Plan, PlanVerdict
from tierproof.guard.resolve.plan_error import PlanError, UnknownPackageError

pytest.importorskip("uv")


@pytest.fixture
def house(tmp_path: Path) -> Wheelhouse:
    house = Wheelhouse(tmp_path / "house")
    house.add("numb", "2.0.2")
    house.add("numb", "2.3.4")
    return house


def names(items: tuple[object, ...]) -> list[str]:
    return [f"{item.name} {item.version}" for item in items]  # type: ignore[attr-defined]


def test_satisfied_changes_nothing(house: Wheelhouse) -> None:
    plan = house.plan("numb>=2", base=make_base({"numb": "2.0.2"}))
    assert plan.verdict is PlanVerdict.SATISFIED
    assert (plan.add, names(plan.reuse), plan.exit_code) == ((), ["numb 2.0.2"], 0)


def test_additive_keeps_the_base_where_a_newer_release_exists(house: Wheelhouse) -> None:
    house.add("capt", "0.9", "numb>=2")
    plan = house.plan("capt", base=make_base({"numb": "2.0.2"}, loaded=["numb"]))
    assert plan.verdict is PlanVerdict.ADDITIVE
    assert names(plan.add) == ["capt 0.9"]
    assert names(plan.reuse) == ["numb 2.0.2"]
    assert plan.add[0].bytes > 0
    assert plan.exit_code == 0


def test_local_versions_of_the_base_are_frozen(house: Wheelhouse) -> None:
    house.add("visor", "1.0", "torchy>=2")
    house.add("torchy", "2.13.0")
    plan = house.plan("visor", base=make_base({"torchy": "2.11.0+cu128", "numb": "2.0.2"}))
    assert plan.verdict is PlanVerdict.ADDITIVE
    assert names(plan.reuse) == ["torchy 2.11.0+cu128"]


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
    assert names(plan.add) == ["pillar 1.0", "ray 2.0", "spark 3.0"]


def test_a_marker_that_does_not_hold_leaves_its_requirement_out(house: Wheelhouse) -> None:
    plan = house.plan("nowhere; python_version < '3'", base=make_base({"numb": "2.0.2"}))
    assert plan.verdict is PlanVerdict.SATISFIED
    assert "Skipped because of its environment marker: nowhere" in plan.explanation


def test_waiver_names_the_one_bound_that_stands_in_the_way(house: Wheelhouse) -> None:
    house.add("open3d", "0.20", "widgets>=8.0.4", "numb>=2", "dash")
    house.add("dash", "4.0")
    house.add("widgets", "8.1.9")
    base = make_base({"widgets": "7.7.1", "numb": "2.0.2"}, loaded=["widgets", "numb"])
    plan = house.plan("open3d", base=base)
    assert plan.verdict is PlanVerdict.WAIVER
    assert plan.conflicts == (Conflict("widgets", "7.7.1", ">=8.0.4", "open3d"),)
    assert "open3d needs widgets ≥ 8.0.4; this kernel has 7.7.1, loaded" in plan.explanation
    assert plan.touches_loaded == ("widgets",)
    assert names(plan.add) == ["dash 4.0", "open3d 0.20"]
    assert plan.exit_code == 1


def test_waiver_leaves_out_a_bound_that_another_release_avoids(house: Wheelhouse) -> None:
    house.add("app", "1.0", "widgets>=8", "lib")
    house.add("lib", "1.0", "numb>=2")
    house.add("lib", "2.0", "numb>=2.3")
    base = make_base({"widgets": "7.7.1", "numb": "2.0.2"}, loaded=["widgets", "numb"])
    plan = house.plan("app", base=base)
    assert plan.verdict is PlanVerdict.WAIVER
    assert [item.package for item in plan.conflicts] == ["widgets"]
    assert "lib 1.0" in names(plan.add)


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
    assert "A change would break loaded packages: former needs token < 2." in plan.explanation


def test_what_is_loaded_and_would_come_along_is_named(house: Wheelhouse) -> None:
    house.add("token", "2.0", "numb>=2.3")
    plan = house.plan("token>=2", base=make_base({"token": "1.0", "numb": "2.0.2"}, loaded=["numb"]))
    assert plan.verdict is PlanVerdict.ISOLATED
    assert "It would also bring other versions of packages in use: numb 2.3.4." in plan.explanation
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
    assert names(tried.add) == ["app 1.0"]


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
    assert names(plan.add) == ["numb 2.3.4"]
    assert "asks for numb 2.3.4; this kernel has 2.0.2, loaded" in plan.explanation


@pytest.mark.parametrize("name", ["torch", "jax", "triton", "nvidia-cublas-cu12", "ipykernel"])
def test_accelerators_and_the_kernel_itself_are_never_shadowed(house: Wheelhouse, name: str) -> None:
    house.add(name, "2.0")
    plan = house.plan(f"{name}>=2", base=make_base({name: "1.0"}))
    assert plan.verdict is PlanVerdict.ISOLATED
    assert names(plan.add) == [f"{name} 2.0"]


def test_an_addition_that_brings_torch_runs_isolated(house: Wheelhouse) -> None:
    house.add("torch", "2.13.0")
    house.add("capt", "0.9", "torch")
    plan = house.plan("capt", base=make_base({"numb": "2.0.2"}))
    assert plan.verdict is PlanVerdict.ISOLATED
    assert "tierproof never adds torch to a running kernel" in plan.explanation


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


def test_a_plan_never_builds(house: Wheelhouse, tmp_path: Path) -> None:
    built = tmp_path / "built"
    house.add_source("oldish", "1.0", built)
    plan = house.plan("oldish", base=make_base({}))
    assert (plan.verdict, plan.exit_code) == (PlanVerdict.UNKNOWN, 2)
    assert "pip would build oldish from source" in plan.explanation
    assert plan.judged is PlanVerdict.ADDITIVE
    assert not built.exists()


def test_git_and_folders_need_leave(house: Wheelhouse, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("[project]\nname = 'mine'\nversion = '1'\n")
    plan = house.plan("git+https://localhost/owner/repo", str(project), base=make_base({}))
    assert plan.verdict is PlanVerdict.UNKNOWN
    assert [gap.what for gap in plan.gaps] == ["git+https://localhost/owner/repo", str(project)]


def test_a_project_folder_is_resolved_with_leave(house: Wheelhouse, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        "[project]\nname = 'mine'\nversion = '1'\ndependencies = ['numb']\n"
    )
    plan = house.plan(str(project), base=make_base({"numb": "2.0.2"}), allow_build=["mine"])
    assert plan.verdict is PlanVerdict.ADDITIVE
    assert [item.name for item in plan.add] == ["mine"]


def test_a_wheel_at_a_path_is_added(house: Wheelhouse, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path / "wheels", "mine", "1.5", ["numb"])
    plan = house.plan(str(wheel), base=make_base({"numb": "2.0.2"}))
    assert plan.verdict is PlanVerdict.ADDITIVE
    assert names(plan.add) == ["mine 1.5"]


def test_a_wheel_in_place_of_what_is_loaded_runs_isolated(house: Wheelhouse, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path / "wheels", "numb", "2.0.2")
    plan = house.plan(str(wheel), base=make_base({"numb": "2.0.2"}, loaded=["numb"]))
    assert plan.verdict is PlanVerdict.ISOLATED
    assert names(plan.add) == ["numb 2.0.2"]


def test_credentials_of_a_url_are_not_shown(house: Wheelhouse) -> None:
    plan = house.plan("git+https://me:token@localhost/owner/repo", base=make_base({}))
    assert "token" not in str(plan.to_dict())


def test_settings_that_would_change_the_resolution_are_scrubbed(house: Wheelhouse, tmp_path: Path) -> None:
    house.add("capt", "0.9")
    house.add("capt", "1.0")
    pinned = tmp_path / "pinned.txt"
    pinned.write_text("capt==0.9\n")
    environment = {
        **house.environment,
        "UV_CONSTRAINT": str(pinned),
        "PIP_CONSTRAINT": str(pinned),
        "UV_RESOLUTION": "lowest",
    }
    plan = house.plan("capt", base=make_base({}), environment=environment)
    assert names(plan.add) == ["capt 1.0"]


def test_pip_settings_serve_where_uv_has_none(house: Wheelhouse, tmp_path: Path) -> None:
    write_wheel(tmp_path / "links", "capt", "1.0", ["numb"])
    environment = {
        **{name: value for name, value in house.environment.items() if name != "UV_DEFAULT_INDEX"},
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path / "links"),
    }
    plan = house.plan("capt", base=make_base({"numb": "2.0.2"}), environment=environment)
    assert plan.verdict is PlanVerdict.ADDITIVE
    with pytest.raises(UnknownPackageError):
        house.plan("numb", base=make_base({}), environment=environment)


def test_a_stalled_index_ends_at_the_limit(house: Wheelhouse) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment = {
            **house.environment,
            "UV_DEFAULT_INDEX": f"http://127.0.0.1:{silent.getsockname()[1]}/simple",
        }
        with pytest.raises(PlanError, match="within 1 seconds"):
            house.plan("capt", base=make_base({}), environment=environment, limit_s=1.0)


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
    assert "Without numb==2.3.4 the rest fits (additive)" in plan.explanation
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
    assert (plan.verdict, names(plan.add)) == (PlanVerdict.ADDITIVE, ["needy 1.0"])


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
    assert names(house.plan("tool", base=make_base({})).add) == ["tool 1.0"]
    plan = house.plan("tool==2.0", base=make_base({}))
    assert plan.verdict is PlanVerdict.INFEASIBLE
    assert "tool 2.0 needs Python <3" in plan.explanation
