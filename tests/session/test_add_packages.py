"""The cell that adds packages: what each setting of the switch installs, and the memory of the GPU beside it."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tierproof.guard.judge.plan import AddedPackage, AgedPackage, Conflict, Plan, PlanVerdict, ShadowedPackage
from tierproof.guard.operations.receipt import Receipt
from tierproof.session import add_packages as add_packages_module
from tierproof.session.gpu_memory import GpuMemory, compare_gpu_memory, read_gpu_memory
from tierproof.session.runtime import find_runtime
from tierproof.session.session import Session

ADD = (AddedPackage("captum", "0.9", 500_000),)
PLANS = {
    "additive": Plan(("captum",), "here", PlanVerdict.ADDITIVE, add=ADD),
    "satisfied": Plan(("numpy",), "here", PlanVerdict.SATISFIED),
    "shadow": Plan(("a",), "here", PlanVerdict.SHADOW, shadows=(ShadowedPackage("a", "1", "2"),)),
    "aged": Plan(("a",), "here", PlanVerdict.ADDITIVE, add=ADD, aged=(AgedPackage("a", "1", "9"),)),
    "waiver": Plan(("a",), "here", PlanVerdict.WAIVER, conflicts=(Conflict("b", "1", ">=2", "a"),)),
    "isolated": Plan(("numpy==2.3.4",), "here", PlanVerdict.ISOLATED),
    "infeasible": Plan(("a",), "here", PlanVerdict.INFEASIBLE),
}


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Plans as named by the requirement, and installs that are only noted."""
    noted: list[dict[str, Any]] = []

    def install(*requirements: str, on_step: Any, **consent: Any) -> Receipt:
        noted.append({"requirements": requirements, **consent})
        return Receipt("install", "new", "old", added=ADD)

    monkeypatch.setattr(add_packages_module, "make_plan", lambda name: PLANS[name])
    monkeypatch.setattr(add_packages_module, "install_packages", install)
    monkeypatch.setattr(add_packages_module, "doctor", lambda: SimpleNamespace(healthy=True))
    memory = (GpuMemory("Board", 100, 1000),)
    monkeypatch.setattr(add_packages_module, "read_gpu_memory", lambda: memory)
    return noted


@pytest.mark.parametrize("switch", ["auto", "ask", "never"])
@pytest.mark.parametrize("name", PLANS)
def test_only_auto_installs_at_once_and_only_what_is_safe(
    session: Session, installs: list[dict[str, Any]], name: str, switch: str
) -> None:
    box = session.add_packages(name, install=switch)
    assert bool(installs) == (switch == "auto" and name == "additive")
    if installs:
        assert "Added captum 0.9" in str(box)
        assert "Memory in use on Board: 100 MiB before, 100 MiB after (equal)" in str(box)
    offered = (name in ("shadow", "aged", "waiver") and switch != "never") or (name, switch) == (
        "additive",
        "ask",
    )
    assert ("session.confirm()" in str(box)) == offered
    confirmed = session.confirm()
    assert ("no plan is waiting" in str(confirmed)) != offered
    if offered:
        (done,) = installs
        assert done["allow_shadow"] == (name == "shadow")
        assert done["allow_aged"] == (name == "aged")
        assert done["waive"] == (("b",) if name == "waiver" else ())


@pytest.mark.parametrize(
    ("text", "switch", "expected"),
    [
        ("captum", "sometimes", "the field `install` has the unknown value"),
        ("--upgrade numpy", "auto", "is an option, not a package"),
        ("'captum", "auto", "cannot be read"),
        ("", "auto", "No packages were requested"),
    ],
)
def test_bad_requests_become_boxes(session: Session, text: str, switch: str, expected: str) -> None:
    assert expected in str(session.add_packages(text, install=switch))


def test_a_gpu_is_read_by_the_drivers_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'Board X, 120, 16000'\necho 'Board Y, [N/A], [N/A]'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert read_gpu_memory() == (GpuMemory("Board X", 120, 16000),)
    assert "Board X, 120 of 16000 MiB in use" in " ".join(find_runtime().describe())
    program.write_text("#!/bin/sh\nexit 9\n")
    assert read_gpu_memory() == ()


def test_memory_is_compared() -> None:
    one, other = GpuMemory("B", 1, 9), GpuMemory("B", 2, 9)
    assert "(equal)" in compare_gpu_memory([one], [one])[0]
    assert "another program" in compare_gpu_memory([one], [other])[0]
    assert compare_gpu_memory([], []) == ()


def test_hosts_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert find_runtime().kind == "Kaggle"
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab_20260714")
    host = find_runtime()
    assert (host.kind, host.image) == ("Colab", "image release-colab_20260714")
