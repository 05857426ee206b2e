"""Part: what preflight foresees on an image, against real installs on the same packages.

A part of colab:2026.01 (its own pins, whatever installs here without torch) is a virtual environment and, by its
freeze list, an image. Each request is judged on the image from another Python, and then really made, each time in
a fresh clone of the environment:

- *pip holds*: whether pip's own resolver finds an answer with every installed version held by constraints. It must
  where the verdict is satisfied or additive, and nowhere else.
- *pip changes*: how many installed packages `pip install` replaced, as foreseen and really; names and versions must
  be the same, and so must those of what it added.
- *install*: what `tp.install` did in a process with a kernel's modules, numpy, pandas and matplotlib loaded, given the
  consents that the plan asks for: the same verdict, the same versions, no file changed, nothing newly broken for
  `pip check`. What is loaded in that process is loaded on the image.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hosted_base import FOLDER
from image_subset import Subset, describe_index, make_subset
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from reach import IMAGE, find_shared
from real_install import GuardOutcome, PipOutcome, run_guard, run_pip, run_pip_held, stamp
from table import format_table
from truth_requests import REQUESTS

from tierproof.guard.commands.pip_command import parse_pip_arguments
from tierproof.guard.resolve.run_uv import find_uv
from tierproof.images.base.hosted_base import HostedBase
from tierproof.images.base.image_base import make_image_base
from tierproof.images.judge.answer_cache import AnswerCache
from tierproof.images.judge.judge_install import QuestionOptions
from tierproof.images.judge.preflight import preflight
from tierproof.images.judge.preflight_result import InstallVerdict, TargetVerdict
from tierproof.images.read.found_install import FoundInstall, PreflightTarget, TargetKind
from tierproof.images.store.image_store import find_stored_image

LEAST_CHECKED = 25
_HOLDS = ("satisfied", "additive")
_INSTALLED = (*_HOLDS, "shadow", "waiver")


@dataclass(frozen=True)
class Comparison:
    """One request: what was foreseen, what happened, and each way in which they differ."""

    request: tuple[str, ...]
    verdict: str
    held: PipOutcome | None
    foreseen: int
    pip: PipOutcome
    guard: GuardOutcome
    differences: tuple[str, ...]


def run() -> tuple[str, bool]:
    """The table, and whether enough was checked and the base is as it was."""
    shared = find_shared()
    if shared is None:
        return "skipped: the images lie in no ../shared and TIERPROOF_SHARED names none", True
    interpreter = find_interpreter("3.12")
    if not interpreter:
        return "skipped: no CPython 3.12 here", True
    subset = make_subset(
        find_stored_image(IMAGE, shared / "runtimes" / "colab"), interpreter, FOLDER / "colab-subset"
    )
    before = stamp(subset.folder)
    compared = compare(subset, REQUESTS)
    intact = stamp(subset.folder) == before
    return describe(subset, compared, intact=intact), intact and len(compared) >= LEAST_CHECKED


def find_interpreter(version: str) -> str:
    """Give a CPython of that version that uv knows, or one beside the running one; empty where there is none."""
    command = [find_uv(), "python", "find", "--no-python-downloads", "--system", version]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    beside = sorted(str(path) for path in Path(sys.base_prefix).parent.glob(f"{version}.*/bin/python"))
    candidates = [found.stdout.strip() if found.returncode == 0 else "", *beside]
    for candidate in filter(None, candidates):
        told = subprocess.run(
            [candidate, "-c", "import platform; print(platform.python_version())"],
            capture_output=True,
            text=True,
            check=False,
        )
        if told.stdout.startswith(f"{version}."):
            return candidate
    return ""


def compare(subset: Subset, requests: Sequence[tuple[str, ...]]) -> list[Comparison]:
    """Judge each request on the image, make it, and compare."""
    environment = describe_index()
    image = HostedBase(
        subset.image.label,
        "",  # answers are not kept: each is of the time of the install it is compared with
        lambda: make_image_base(subset.image, loaded=subset.loaded, environment=environment),
    )
    compared = []
    with tempfile.TemporaryDirectory(dir=subset.folder.parent) as folder:
        options = QuestionOptions(environment=environment, cache=AnswerCache(Path(folder, "answers")))
        for number, request in enumerate(requests, start=1):
            began = time.perf_counter()
            compared.append(compare_request(subset, image, options, request, Path(folder)))
            print(
                f"[{number}/{len(requests)}] {' '.join(request)}: {compared[-1].verdict} "
                f"{'; '.join(compared[-1].differences) or 'agrees'} ({time.perf_counter() - began:.0f} s)",
                flush=True,
            )
    return compared


def compare_request(
    subset: Subset, image: HostedBase, options: QuestionOptions, request: tuple[str, ...], folder: Path
) -> Comparison:
    target, judged = judge(request, image, options)
    verdict = target.verdict
    upgrade = request[0] == "-U"
    held = None if upgrade else run_pip_held(subset, request, folder)
    pip = run_pip(subset, request, folder)
    wanted = list_pins(request[1:], judged) if upgrade else list(request)
    guard = run_guard(subset, wanted, list_consents(judged), folder)
    differences = (
        *([] if held is None else compare_held(verdict, held, judged)),
        *compare_pip(judged, pip),
        *compare_guard(verdict, judged, guard),
    )
    return Comparison(
        request,
        describe_verdict(verdict, judged),
        held,
        len(judged.answer.pip.replaced),
        pip,
        guard,
        differences,
    )


def judge(
    request: tuple[str, ...], image: HostedBase, options: QuestionOptions
) -> tuple[TargetVerdict, InstallVerdict]:
    """Preflight `pip install` of a request."""
    words = ["pip", "install", "--only-binary", ":all:", *request]
    text = " ".join(request)
    found = FoundInstall(parse_pip_arguments(words)[0], text)
    target = PreflightTarget(text, TargetKind.REQUIREMENTS, (found,))
    result = preflight([target], [image], options).results[0]
    return result, result.installs[0]


def list_consents(judged: InstallVerdict) -> dict[str, object]:
    """Give the consents that the plan asks for, and no other."""
    plan = judged.answer.plan
    if plan is None:
        return {}
    return {
        "allow_shadow": plan.verdict.value == "shadow",
        "allow_aged": bool(plan.aged),
        "waive": list_waived(judged),
    }


def list_waived(judged: InstallVerdict) -> list[str]:
    """Give the packages on which the plan asks to waive bounds: `pip check` will name those bounds."""
    plan = judged.answer.plan
    if plan is None or plan.verdict.value != "waiver":
        return []
    return [item.package for item in plan.conflicts]


def list_pins(requirements: Sequence[str], judged: InstallVerdict) -> list[str]:
    """Give an upgrade as what it means for `tp.install`, which has none: the versions that the plan brings."""
    versions = list_planned(judged)
    names = [canonicalize_name(Requirement(each).name) for each in requirements]
    return [f"{name}=={versions[name]}" if name in versions else name for name in names]


def list_planned(judged: InstallVerdict) -> dict[str, str]:
    """Give what an install would bring, version by name."""
    plan = judged.answer.plan
    if plan is None:
        return {}
    return {item.name: item.version for item in (*plan.add, *plan.shadows)}


def compare_held(verdict: str, held: PipOutcome, judged: InstallVerdict) -> list[str]:
    if held.ok != (verdict in _HOLDS):
        said = " ".join(held.words.split())[-160:]
        return [f"pip with the base held {'finds an answer' if held.ok else f'fails: {said}'}"]
    planned = list_planned(judged)
    if held.ok and held.replaced | held.added != planned:
        return [f"pip with the base held would bring {describe_difference(planned, held.added)}"]
    return []


def compare_pip(judged: InstallVerdict, pip: PipOutcome) -> list[str]:
    forecast = judged.answer.pip
    foreseen = {item.name: item.version for item in forecast.replaced}
    added = dict(each.split(" ", 1) for each in forecast.added)
    if not pip.ok:
        if (forecast.unforeseen or forecast.refused) and not foreseen and not added:
            return []
        return [f"pip fails, {len(foreseen)} changes were foreseen: {' '.join(pip.words.split())[-160:]}"]
    found = []
    if foreseen != pip.replaced:
        found.append(f"pip replaced {describe_difference(foreseen, pip.replaced)}")
    if added != pip.added:
        found.append(f"pip added {describe_difference(added, pip.added)}")
    return found


def compare_guard(verdict: str, judged: InstallVerdict, guard: GuardOutcome) -> list[str]:
    found = []
    if guard.verdict != verdict:
        found.append(f"tp.install: {guard.verdict} {guard.error}".strip())
    elif verdict in _INSTALLED and not guard.added == guard.seen == list_planned(judged):
        found.append(f"tp.install brought {describe_difference(list_planned(judged), guard.seen)}")
    waived = list_waived(judged)
    broken = [line for line in guard.broken if not any(f"you have {name} " in line for name in waived)]
    if broken:
        found.append(f"pip check: {'; '.join(broken)}")
    if guard.changed:
        found.append(f"{len(guard.changed)} files changed: {guard.changed[0]}")
    return found


def describe_difference(foreseen: dict[str, str], real: dict[str, str]) -> str:
    """Give what differs, as `name real (foreseen other)`."""
    names = sorted(name for name in foreseen.keys() | real.keys() if foreseen.get(name) != real.get(name))
    return ", ".join(
        f"{name} {real.get(name, 'not')} (foreseen {foreseen.get(name, 'not')})" for name in names
    )


def describe_verdict(verdict: str, judged: InstallVerdict) -> str:
    plan = judged.answer.plan
    return f"{verdict}, aged" if plan is not None and plan.aged else verdict


def describe(subset: Subset, compared: Sequence[Comparison], *, intact: bool) -> str:
    """The table, and each difference with its numbers."""
    rows = [
        (
            " ".join(each.request),
            each.verdict,
            "-" if each.held is None else ("yes" if each.held.ok else "no"),
            f"{each.foreseen}/{len(each.pip.replaced)}" if each.pip.ok else f"{each.foreseen}/fails",
            each.guard.verdict,
            "NO" if each.differences else "yes",
        )
        for each in compared
    ]
    agreed = sum(not each.differences for each in compared)
    counts = ", ".join(
        f"{count} {verdict}" for verdict, count in Counter(each.verdict for each in compared).most_common()
    )
    lines = [
        f"{agreed} of {len(compared)} agree: {counts}.",
        f"{len(subset.packages)} packages of {IMAGE} at its pins, Python {subset.image.python}.",
        f"Loaded: {len(subset.loaded)}. The environment after all installs: {'unchanged' if intact else 'CHANGED'}.",
        format_table(("request", "foreseen", "pip holds", "pip changes", "tp.install", "agree"), rows),
    ]
    if agreed < len(compared):
        lines.append("Where they differ (see docs/truth.md):")
    lines += [
        f"- {' '.join(each.request)}: {difference}" for each in compared for difference in each.differences
    ]
    return "\n".join(lines)
