"""Plans of builds, repositories, folders and files, and under settings of indexes."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from guard.wheelhouse import Wheelhouse, list_versions, make_base, write_wheel
from tierproof.guard.judge.plan import PlanVerdict
from tierproof.guard.resolve.plan_error import PlanError, UnknownPackageError

pytest.importorskip("uv")


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
    assert list_versions(plan.add) == ["mine 1.5"]


def test_a_wheel_in_place_of_what_is_loaded_runs_isolated(house: Wheelhouse, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path / "wheels", "numb", "2.0.2")
    plan = house.plan(str(wheel), base=make_base({"numb": "2.0.2"}, loaded=["numb"]))
    assert plan.verdict is PlanVerdict.ISOLATED
    assert list_versions(plan.add) == ["numb 2.0.2"]


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
    assert list_versions(plan.add) == ["capt 1.0"]


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


def test_a_folder_of_unknown_name_says_why_its_build_failed(house: Wheelhouse, tmp_path: Path) -> None:
    project = tmp_path / "unnamed"
    project.mkdir()
    (project / "setup.py").write_text("from setuptools import setup; setup()\n")
    plan = house.plan(str(project), base=make_base({"numb": "2.0.2"}), allow_build=["*"])
    (gap,) = plan.gaps
    assert "its build requirements cannot be installed" in gap.reason
