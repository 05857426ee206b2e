"""The layer of a worker, from an index made here: what it holds, that it is made once, and what is refused."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from guard.wheelhouse import Wheelhouse, make_base, write_wheel
from tierproof.guard.capture.base import Base
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.isolate.isolated_layer import Layer, prepare_layer
from tierproof.guard.isolate.isolated_plan import IsolatedPlan, plan_isolated
from tierproof.guard.judge.plan import Conflict, PlanVerdict
from tierproof.guard.judge.plan_refused import PlanRefused
from tierproof.guard.resolve.plan_error import UnknownPackageError
from tierproof.guard.system.environment_folder import find_environment_folder
from tierproof.guard.system.environment_lock import EnvironmentBusyError, lock_environment

pytest.importorskip("uv")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheelhouse:
    monkeypatch.setenv("TIERPROOF_DATA", str(tmp_path / "data"))
    house = Wheelhouse(tmp_path / "house")
    for version in ("1.0", "2.0"):
        house.add("numb", version)
    return house


def plan(house: Wheelhouse, *requirements: str, base: Base) -> IsolatedPlan:
    return plan_isolated(requirements, base, environment=house.environment)


def prepare(house: Wheelhouse, planned: IsolatedPlan) -> Layer:
    return prepare_layer(planned, environment=house.environment)


def modules(layer: Layer) -> list[str]:
    assert layer.folder is not None
    return sorted(path.name for path in (layer.folder / "site").iterdir())


def test_what_conflicts_comes_with_its_own_version(house: Wheelhouse) -> None:
    house.add("sets", "4.4", "numb>=2")
    base = make_base({"numb": "1.0", "other": "3.0"}, loaded=["numb"])
    planned = plan(house, "sets", base=base)
    assert planned.plan.verdict is PlanVerdict.ISOLATED
    assert "needs another version of numb" in planned.plan.explanation
    assert planned.names == ("numb", "sets")
    layer = prepare(house, planned)
    assert layer.made
    assert modules(layer) == ["numb-2.0.dist-info", "numb.py", "sets-4.4.dist-info", "sets.py"]
    assert layer.modules == (f"{layer.folder}/site",)
    assert layer.programs == ()


def test_what_fits_leaves_the_base_as_it_is(house: Wheelhouse) -> None:
    house.add("capt", "1.0", "numb")
    planned = plan(house, "capt", base=make_base({"numb": "1.0"}))
    assert planned.names == ("capt",)
    assert planned.plan.explanation.startswith(
        "Only the worker gets capt 1.0; it replaces no installed package"
    )
    assert planned.unhappy == ()


def test_what_is_there_already_takes_no_layer(house: Wheelhouse) -> None:
    planned = plan(house, "numb", base=make_base({"numb": "1.0"}))
    assert planned.names == ()
    assert planned.plan.verdict is PlanVerdict.SATISFIED
    assert prepare(house, planned) == Layer()
    assert Layer().modules == ()


def test_an_accelerator_may_be_asked_for(house: Wheelhouse) -> None:
    house.add("torch", "2.0")
    house.add("visor", "1.0", "torch")
    planned = plan(house, "torch==2.0", base=make_base({"torch": "1.0"}, loaded=["torch"]))
    assert planned.names == ("torch",)
    assert plan(house, "visor", base=make_base({"torch": "1.0"})).names == ("visor",)


def test_an_unhappy_package_that_is_loaded_comes_in_a_version_that_fits(house: Wheelhouse) -> None:
    house.add("panda", "1.0", "numb<2")
    house.add("panda", "2.0", "numb>=2")
    house.add("geo", "1.0", "panda<2")
    house.add("geo", "2.0", "panda>=2")
    base = make_base(
        {"numb": "1.0", "panda": "1.0", "geo": "1.0"},
        {"panda": ["numb<2"], "geo": ["panda<2"]},
        loaded=["numb", "panda", "geo"],
    )
    planned = plan(house, "numb==2.0", base=base)
    assert planned.names == ("geo", "numb", "panda")
    assert planned.unhappy == ()
    assert planned.describe_unhappy() == ""


def test_an_unhappy_package_that_nobody_has_loaded_is_named(house: Wheelhouse) -> None:
    base = make_base(
        {"numb": "1.0", "jit": "1.0", "fine": "1.0", "odd": "1.0"},
        {
            "jit": ["numb<2", "numb<2; python_version<'3'"],
            "fine": ["numb>=1", "other"],
            "odd": ["numb<1; extra == 'x'", "numb<0.5", "numb ~~ 2", "; nothing"],
        },
    )
    planned = plan(house, "numb==2.0", base=base)
    assert planned.names == ("numb",)
    assert planned.unhappy == (Conflict("numb", "2.0", "<2", "jit"),)
    assert "jit (needs numb<2, gets 2.0)" in planned.describe_unhappy()


@pytest.mark.parametrize("versions", [(), ("1.0",)])
def test_a_loaded_package_for_which_no_version_fits_is_named(
    house: Wheelhouse, versions: Sequence[str]
) -> None:
    for version in versions:
        house.add("jit", version, "numb<2")
    base = make_base({"numb": "1.0", "jit": "1.0"}, {"jit": ["numb<2"]}, loaded=["jit"])
    planned = plan(house, "numb==2.0", base=base)
    assert planned.names == ("numb",)
    assert [item.required_by for item in planned.unhappy] == ["jit"]


def test_what_nothing_serves_is_refused_with_its_plan(house: Wheelhouse) -> None:
    house.add("app", "1.0", "numb>=3")
    with pytest.raises(PlanRefused, match="No combination of released wheels") as caught:
        plan(house, "app", base=make_base({"numb": "1.0"}))
    assert caught.value.plan.verdict is PlanVerdict.INFEASIBLE  # type: ignore[attr-defined]
    with pytest.raises(UnknownPackageError):
        plan(house, "nowhere", base=make_base({"numb": "1.0"}))


def test_what_must_be_built_takes_leave(house: Wheelhouse, tmp_path: Path) -> None:
    house.add_source("sourced", "1.0", tmp_path / "built")
    with pytest.raises(PlanRefused):
        plan(house, "sourced", base=make_base({"numb": "1.0"}))
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("[project]\nname = 'project'\nversion = '1'\n")
    with pytest.raises(PlanRefused, match="from source"):
        plan(house, str(project), base=make_base({"numb": "1.0"}))
    assert not (tmp_path / "built").exists()


def test_the_same_request_finds_the_layer_that_is_there(house: Wheelhouse) -> None:
    base = make_base({"numb": "1.0"})
    first = prepare(house, plan(house, "numb==2.0", base=base))
    again = prepare(house, plan(house, "numb>1", base=base))
    assert (again.folder, again.made) == (first.folder, False)
    other = prepare(house, plan(house, "numb==1.0", base=make_base({"numb": "2.0"})))
    assert other.folder != first.folder


def test_a_layer_follows_the_content_of_a_local_wheel(house: Wheelhouse, tmp_path: Path) -> None:
    base = make_base({"numb": "1.0"})
    wheel = write_wheel(tmp_path, "own", "1.0")
    first = prepare(house, plan(house, str(wheel), base=base))
    write_wheel(tmp_path, "own", "1.0", ["numb"])
    second = prepare(house, plan(house, str(wheel), base=base))
    assert second.made
    assert second.folder != first.folder


def test_a_damaged_layer_is_made_anew(house: Wheelhouse) -> None:
    planned = plan(house, "numb==2.0", base=make_base({"numb": "1.0"}))
    first = prepare(house, planned)
    assert first.folder is not None
    module = first.folder / "site" / "numb.py"
    for damage in (module.unlink, lambda: (first.folder / "inventory.json").write_text("{")):
        damage()
        again = prepare(house, planned)
        assert again.made
        assert again.folder == first.folder
        assert module.is_file()
    assert sorted(path.name for path in first.folder.parent.iterdir()) == sorted([first.folder.name, "lock"])


def test_what_a_killed_process_left_is_swept_out(house: Wheelhouse) -> None:
    shelf = find_environment_folder() / "isolated"
    (shelf / ".making-of-the-dead" / "site").mkdir(parents=True)
    prepare(house, plan(house, "numb==2.0", base=make_base({"numb": "1.0"})))
    assert not list(shelf.glob(".making*"))


def test_a_wheel_that_is_not_what_it_says_leaves_nothing(house: Wheelhouse) -> None:
    planned = plan(house, "numb==2.0", base=make_base({"numb": "1.0"}))
    wheel = next((house.folder / "simple" / "numb").glob("*2.0*.whl"))
    wheel.write_bytes(wheel.read_bytes()[:200])
    with pytest.raises(InstallError, match="could not be fetched"):
        prepare(house, planned)
    assert [path.name for path in (find_environment_folder() / "isolated").iterdir()] == ["lock"]


@pytest.mark.parametrize("name", ["sitecustomize", "usercustomize", "dataclasses"])
def test_names_that_would_stand_before_pythons_own_are_refused(house: Wheelhouse, name: str) -> None:
    house.add(name, "1.0")
    with pytest.raises(InstallError, match=f"{name}.py, which would hide a standard library module"):
        prepare(house, plan(house, name, base=make_base({"numb": "1.0"})))
    assert [path.name for path in (find_environment_folder() / "isolated").iterdir()] == ["lock"]


def test_tests_left_at_the_top_are_no_reason_to_refuse(house: Wheelhouse) -> None:
    house.add("test", "1.0")
    assert prepare(house, plan(house, "test", base=make_base({"numb": "1.0"}))).made


def test_somebody_who_makes_a_layer_is_waited_for_and_named(house: Wheelhouse) -> None:
    planned = plan(house, "numb==2.0", base=make_base({"numb": "1.0"}))
    shelf = find_environment_folder() / "isolated"
    shelf.mkdir()
    told: list[str] = []
    with lock_environment(shelf, limit_s=0), pytest.raises(EnvironmentBusyError):
        prepare_layer(planned, environment=house.environment, limit_s=0.1, tell=told.append)
    assert told == ["waiting for another process that installs packages for a worker"]


def test_a_folder_that_cannot_be_written_is_said(house: Wheelhouse) -> None:
    (find_environment_folder() / "isolated").write_text("in the way")
    with pytest.raises(InstallError, match=r"cannot write to .*isolated: .*\n.*XDG_DATA_HOME"):
        prepare(house, plan(house, "numb==2.0", base=make_base({"numb": "1.0"})))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="POSIX")
@pytest.mark.parametrize("moment", ["stage_packages", "_refuse_names", "format_pylock", "_put"])
@pytest.mark.parametrize("after", [False, True])
def test_a_kill_at_any_moment_leaves_no_layer_or_a_whole_one(
    house: Wheelhouse, moment: str, after: bool
) -> None:
    tests = Path(__file__).parents[2]
    code = MAKER.format(
        paths=[str(tests.parent / "src"), str(tests)],
        house=str(house.folder),
        rest=KILLED.format(moment=moment, after=after),
    )
    killed = subprocess.run([sys.executable, "-c", code], input="\n", text=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    planned = plan(house, "numb==2.0", base=make_base({"numb": "1.0"}))
    layer = prepare(house, planned)
    assert layer.made is not (moment == "_put" and after)
    assert modules(layer) == ["numb-2.0.dist-info", "numb.py"]
    assert layer.folder is not None
    left = {path.name for path in layer.folder.parent.iterdir()} - {layer.folder.name, "lock"}
    assert not left


KILLED = """
import os
from tierproof.guard.isolate import isolated_layer as module
real = module.{moment}
def killed(*args, **kwargs):
    {after} and real(*args, **kwargs)
    os.kill(os.getpid(), 9)
module.{moment} = killed
"""

MAKER = """
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
from guard.wheelhouse import Wheelhouse, make_base
from tierproof.guard.isolate.isolated_layer import prepare_layer
from tierproof.guard.isolate.isolated_plan import plan_isolated
house = Wheelhouse(Path({house!r}))
planned = plan_isolated(["numb==2.0"], make_base({{"numb": "1.0"}}), environment=house.environment)
{rest}
print("ready", flush=True)
input()
layer = prepare_layer(planned, environment=house.environment)
print(layer.made, layer.folder, flush=True)
"""


def test_processes_that_make_the_same_layer_at_once_make_one(house: Wheelhouse) -> None:
    tests = Path(__file__).parents[2]
    code = MAKER.format(paths=[str(tests.parent / "src"), str(tests)], house=str(house.folder), rest="")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate()[0].split() for process in processes]
    assert sorted(answer[0] for answer in answers) == ["False", "False", "True"]
    assert len({answer[1] for answer in answers}) == 1
