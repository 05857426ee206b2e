"""What else there is, from what is really built: what it adds, its seconds and its megabytes."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from tierproof.api.packages.plan import plan as make_plan
from tierproof.api.packages.read_extras import read_extras
from tierproof.core.check_result import Outcome
from tierproof.core.report import Report
from tierproof.errors import TierproofError
from tierproof.session.gpu_memory import read_gpu_memory

if TYPE_CHECKING:
    from tierproof.checks.check import Check

TITLES = ("what", "adds", "how", "seconds", "download")
_NOT_MEASURED = "not measured here"
_PLAN_LIMIT_S = 20.0
# Measured on two CPU cores with a package index nearby, in an environment like Colab's: GPT-2 124M loaded from its
# config and checked; captum 0.9 planned, fetched, tried and added; a worker with numpy 2.3.4 made and called.
_ABOUT_S = {"hf": 95.0, "packages": 7.0, "isolated": 3.0}
# What an extra is for, and what uses it. A test compares the keys with the extras that the distribution declares.
EXTRAS: Mapping[str, tuple[str, str, str]] = {
    "torch": ("torch itself", "every check", "session.check()"),
    "hf": ("models from transformers", "any model of the hub, by its id", "session.choose('hub', 'gpt2')"),
    "plots": ("figures", "figures in the report and as PNG files", "session.export()"),
    "tier2": ("captum", "integrated gradients in tp.attribute", "tp.attribute(session.model)"),
    "notebooks": ("building these notebooks", "for maintainers", "tierproof notebook build"),
}
_NOT_FOR_USERS = ("notebooks",)


@dataclass(frozen=True, slots=True)
class FurtherAnalysis:
    """One row of the last cell's table.

    Attributes:
        what: in a few words.
        adds: what it tells or brings.
        how: a line to run.
        seconds: measured here, or that it was not.
        download: size of what it would add; 0 MB where everything is there.
    """

    what: str
    adds: str
    how: str
    seconds: str
    download: str = "0 MB"

    @property
    def row(self) -> tuple[str, ...]:
        """The cells of its row."""
        return self.what, self.adds, self.how, self.seconds, self.download


def list_further_analyses(report: Report | None, measured_s: Mapping[str, float]) -> list[FurtherAnalysis]:
    """List what can be done next with what is built.

    Args:
        report: of this notebook, if there is one; its durations are the seconds that are told.
        measured_s: seconds of other steps of this session: `figures`, `packages`.
    """
    found = [*_list_checks(report), *_list_gpu(report), *_list_extras(measured_s)]
    found.append(
        FurtherAnalysis(
            "any package, safely",
            "plans first, then adds without changing a loaded package",
            "session.add_packages('captum')",
            _seconds(measured_s, "packages"),
            "0.5 MB for captum",
        )
    )
    found.append(
        FurtherAnalysis(
            "packages that conflict",
            "runs a function in a separate process with its own package versions",
            "tp.isolated(['numpy==2.3.4'], function)",
            _seconds(measured_s, "isolated"),
            "17 MB for this numpy",
        )
    )
    return found


def _list_checks(report: Report | None) -> list[FurtherAnalysis]:
    if report is None:
        return []
    rows = []
    ran = [result for result in report.results if result.outcome is not Outcome.SKIPPED]
    if ran:
        longest = max(ran, key=lambda result: result.duration_s)
        rows.append(
            FurtherAnalysis(
                "one check again",
                "rerun only this check after a change",
                f"tp.check(session.model, only=['{longest.code}'])",
                f"up to {longest.duration_s:.1f}",
            )
        )
    known = {result.code for result in report.results}
    rows += [
        FurtherAnalysis(
            check.name, f"tier {check.tier}", f"tp.check(session.model, only=['{check.code}'])", _NOT_MEASURED
        )
        for check in _load_checks()
        if check.code not in known
    ]
    return rows


def _list_gpu(report: Report | None) -> list[FurtherAnalysis]:
    if report is None or not report.environment.device.startswith("cpu") or not read_gpu_memory():
        return []
    return [
        FurtherAnalysis(
            "speed and memory on the GPU",
            "T1-SPEED and T1-MEM, measured on the GPU",
            "tp.check(session.model, device='cuda')",
            _NOT_MEASURED,
        )
    ]


def _list_extras(measured_s: Mapping[str, float]) -> list[FurtherAnalysis]:
    rows = []
    for extra, requirements in sorted(read_extras().items()):
        if extra in _NOT_FOR_USERS or (extra == "torch" and not _is_lacking(requirements)):
            continue
        what, adds, use = EXTRAS.get(extra, (extra, "see the documentation", ""))
        rows.append(
            FurtherAnalysis(
                what,
                adds,
                f"tp.install({', '.join(map(repr, requirements))})" if _is_lacking(requirements) else use,
                _seconds(measured_s, "figures" if extra == "plots" else extra),
                _find_download(requirements),
            )
        )
    return rows


def _is_lacking(requirements: Sequence[str]) -> bool:
    for text in requirements:
        requirement = Requirement(text)
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            return True
        if not requirement.specifier.contains(version, prereleases=True):
            return True
    return False


def _find_download(requirements: Sequence[str]) -> str:
    if not _is_lacking(requirements):
        return "0 MB"
    try:
        plan = make_plan(*requirements, limit_s=_PLAN_LIMIT_S)
    except TierproofError:
        return "unknown: no plan could be made"
    if not plan.ok:
        return f"does not fit here ({plan.verdict.value})"
    return f"{sum(item.bytes for item in plan.add) / 1e6:.1f} MB"


def _load_checks() -> Sequence[Check]:
    if importlib.util.find_spec("torch") is None:
        return ()
    from tierproof.checks.registry import load_checks

    return load_checks()


def _seconds(measured_s: Mapping[str, float], step: str) -> str:
    """What was measured here; else what it took on two cores; else that nobody knows."""
    if step in measured_s:
        return f"{measured_s[step]:.1f}"
    return f"about {_ABOUT_S[step]:.0f}" if step in _ABOUT_S else _NOT_MEASURED
