"""The canonical failure in a real kernel: numpy 2.0.2 loaded, 2.3.4 put on disk by a plain pip install."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from guard.notebook_kernel import make_environment, run_command, start_kernel

pytest.importorskip("ipykernel", reason="comes with the test group")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")]


@dataclass
class Story:
    """What was answered at each step; the tests read it."""

    before: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    inside: dict[str, Any] = field(default_factory=dict)
    page: str = ""
    outside: Any = None
    outside_unprepared: Any = None
    environment: Any = None
    refused: dict[str, Any] = field(default_factory=dict)
    refused_pid: int = 0
    healing: dict[str, Any] = field(default_factory=dict)
    healed_error: str = ""
    healed_sum: float = 0.0
    after: dict[str, Any] = field(default_factory=dict)
    left_behind: list[str] = field(default_factory=list)
    fresh: str = ""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("tear")
    python = make_environment(
        folder / "env", "numpy==2.0.2", "ipykernel", "packaging", "click", "uv", "colorlog==6.8.0"
    )
    data, other_data = folder / "data", folder / "other"
    data.mkdir()
    other_data.mkdir()
    told = Story()
    with start_kernel(python, data) as kernel:
        assert kernel.run("import tierproof as tp, numpy, subprocess, sys")[1] == ""
        told.before = kernel.ask("tp.doctor().to_dict()")
        pip = "subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', {!r}], check=True)"
        # Nobody has loaded this one: its upgrade is no tear.
        assert kernel.run(pip.format("colorlog==6.9.0"))[1] == ""
        assert kernel.run(pip.format("numpy==2.3.4"))[1] == ""
        told.error = kernel.run("import numpy.strings")[1]
        told.inside = kernel.ask("tp.doctor().to_dict()")
        told.page = kernel.ask("tp.doctor()._repr_html_()")
        told.outside = run_command(python, data, "doctor", "--pid", kernel.pid, "--json")
        told.outside_unprepared = run_command(
            Path(sys.executable), other_data, "doctor", "--pid", kernel.pid, "--json"
        )
        told.environment = run_command(python, data, "doctor", "--json")
        # One module comes from the new version before the old one is back.
        assert kernel.run("import numpy.f2py.symbolic")[1] == ""
        with subprocess.Popen(
            [python, "-c", "import numpy; print(numpy.__version__, flush=True); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == b"2.3.4\n"
            told.refused, told.refused_pid = kernel.ask("tp.heal().to_dict()"), other.pid
            other.communicate(b"\n")
        told.healing = kernel.ask("tp.heal().to_dict()")
        told.healed_error = kernel.run("import numpy.strings, numpy.ma")[1]
        told.healed_sum = kernel.ask("float(numpy.ma.masked_equal([1, 2, 2], 2).sum())")
        told.after = kernel.ask("tp.doctor().to_dict()")
        told.left_behind = kernel.ask(
            "[n for n in __import__('os').listdir(numpy.__path__[0] + '/..') if n.startswith(('.tier', '~'))]"
        )
    told.fresh = subprocess.run(
        [python, "-c", "import numpy.strings, numpy.f2py; print(numpy.__version__)"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return told


def test_before_the_upgrade_all_is_well(story: Story) -> None:
    assert story.before["healthy"] is True
    assert story.before["torn"] == []
    assert story.before["checked"] > 20


def test_the_failure_is_the_one_that_users_report(story: Story) -> None:
    assert "cannot import name '_center' from 'numpy._core.umath'" in story.error


def test_doctor_inside_names_the_package_both_versions_and_the_evidence(story: Story) -> None:
    assert story.inside["healthy"] is False
    (torn,) = story.inside["torn"]
    assert (torn["package"], torn["loaded_version"], torn["disk_version"]) == ("numpy", "2.0.2", "2.3.4")
    assert {"version", "native-library-replaced"} <= set(torn["evidence"])
    assert torn["remedy"] == "heal"
    assert "installed by pip" in torn["detail"]
    assert set(torn) >= {"package", "loaded_version", "disk_version", "evidence", "remedy", "detail"}
    assert "2.3.4" in story.page


@pytest.mark.parametrize("asked", ["outside", "outside_unprepared", "environment"])
def test_doctor_outside_agrees(story: Story, asked: str) -> None:
    answer = getattr(story, asked)
    assert answer.returncode == 1, answer.stderr
    document = json.loads(answer.stdout)
    (torn,) = document["torn"]
    assert (torn["package"], torn["loaded_version"], torn["disk_version"]) == ("numpy", "2.0.2", "2.3.4")
    assert {"version", "native-library-replaced"} <= set(torn["evidence"])
    assert torn["pid"] > 0


def test_heal_refuses_while_another_process_has_the_new_version_loaded(story: Story) -> None:
    (failed,) = story.refused["failed"]
    assert failed["package"] == "numpy"
    assert str(story.refused_pid) in failed["reason"]
    assert story.refused["ok"] is False
    assert story.refused["healed"] == []
    assert story.refused["diagnosis"]["healthy"] is False


def test_heal_puts_the_loaded_version_back_without_a_restart(story: Story) -> None:
    assert story.healing["failed"] == []
    assert story.healing["healed"] == [{"package": "numpy", "version": "2.0.2", "replaced_version": "2.3.4"}]
    assert story.healed_error == ""
    assert story.healed_sum == 1.0
    assert story.left_behind == []


def test_what_was_imported_while_torn_is_named_after_the_heal(story: Story) -> None:
    for diagnosis in (story.healing["diagnosis"], story.after):
        (torn,) = diagnosis["torn"]
        assert torn["evidence"] == ["imported-while-torn"]
        assert torn["remedy"] == "restart"
        assert "numpy.f2py.symbolic" in torn["modules"]
        assert "numpy.strings" not in torn["modules"]
        assert (torn["loaded_version"], torn["disk_version"]) == ("2.0.2", "2.0.2")


def test_a_fresh_process_runs_the_healed_version(story: Story) -> None:
    assert story.fresh == "2.0.2\n"
