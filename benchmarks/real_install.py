"""What really happens: pip, pip with the base held, and tierproof, each in a fresh clone of a virtual environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image_subset import Subset, describe_process, list_packages
from packaging.utils import canonicalize_name

LIMIT_S = 300
_INSTALL = """
import importlib.metadata, json, sys
import tierproof as tp
from tierproof.errors import TierproofError
from tierproof.guard.judge.plan_refused import PlanRefused
from tierproof.guard.resolve.plan_error import UnknownPackageError
asked = json.loads(sys.argv[1])
result = {"verdict": "", "added": {}, "seen": {}, "path_entry": "", "error": ""}
try:
    receipt = tp.install(*asked["requirements"], **asked["consents"])
    result |= {"verdict": receipt.plan.verdict.value, "path_entry": receipt.path_entry if receipt.changed else ""}
    result["added"] = {item.name: item.version for item in receipt.added if receipt.changed}
    result["seen"] = {name: importlib.metadata.version(name) for name in result["added"]}
except PlanRefused as error:
    result["verdict"] = error.plan.verdict.value
except UnknownPackageError:
    result["verdict"] = "unknown"
except TierproofError as error:
    result |= {"verdict": type(error).__name__, "error": " ".join(str(error).split())[:300]}
print(json.dumps(result))
"""


@dataclass(frozen=True)
class PipOutcome:
    """What a pip run did.

    Attributes:
        ok: it ended with 0.
        replaced: version by name of what was there in another version or is gone (then empty).
        added: version by name of what was not there.
        words: the end of what it said.
    """

    ok: bool
    replaced: dict[str, str]
    added: dict[str, str]
    words: str


@dataclass(frozen=True)
class GuardOutcome:
    """What `tp.install` did in a kernel's process.

    Attributes:
        verdict: of its plan, `unknown`, or the name of the error.
        added: version by name of what came.
        seen: version by name of what the process finds of it.
        broken: lines of `pip check` that were not there before.
        changed: files of the environment that are new, gone or other; the path file and bytecode aside.
        error: in words.
    """

    verdict: str
    added: dict[str, str]
    seen: dict[str, str]
    broken: tuple[str, ...]
    changed: tuple[str, ...]
    error: str


@contextmanager
def clone(subset: Subset, folder: Path) -> Iterator[Path]:
    """Give the python of a copy. Files are hard links: pip unlinks before it writes, and tierproof writes none."""
    target = folder / "clone"
    shutil.copytree(subset.folder, target, symlinks=True, copy_function=_link)
    try:
        yield target / "bin" / "python"
    finally:
        shutil.rmtree(target)


def _link(source: str, target: str) -> None:
    if Path(source).is_symlink():
        os.symlink(os.readlink(source), target)  # noqa: PTH115, PTH211
    else:
        os.link(source, target)


def run_pip(subset: Subset, request: Sequence[str], folder: Path) -> PipOutcome:
    """Install `request` with the environment's own pip, wheels only."""
    with clone(subset, folder) as python:
        done = _run(python, folder, "-m", "pip", "install", "-q", "--only-binary", ":all:", *request)
        after = list_packages(python, folder)
    before = subset.packages
    return PipOutcome(
        done.returncode == 0,
        {name: after.get(name, "") for name in before if after.get(name) != before[name]},
        {name: version for name, version in after.items() if name not in before},
        done.stderr[-400:],
    )


def run_pip_held(subset: Subset, request: Sequence[str], folder: Path) -> PipOutcome:
    """Ask pip's own resolver with every installed version held: does it find anything, and what would come?"""
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    options = ["-q", "--only-binary", ":all:", "--dry-run", "--report", report, "-c", subset.image.path]
    done = _run(subset.folder / "bin" / "python", folder, "-m", "pip", "install", *options, *request)
    came = {}
    if done.returncode == 0:
        items = json.loads(report.read_text(encoding="utf-8"))["install"]
        came = {canonicalize_name(item["metadata"]["name"]): item["metadata"]["version"] for item in items}
    return PipOutcome(
        done.returncode == 0,
        {name: version for name, version in came.items() if name in subset.packages},
        {name: version for name, version in came.items() if name not in subset.packages},
        done.stderr[-400:],
    )


def run_guard(
    subset: Subset, requirements: Sequence[str], consents: dict[str, object], folder: Path
) -> GuardOutcome:
    """Let `tp.install` install in a process that holds what a kernel holds, and look at what became of it."""
    asked = json.dumps({"requirements": list(requirements), "consents": consents})
    with clone(subset, folder) as python:
        before, broken = stamp(python.parents[1]), _check(python, folder, "")
        done = _run(python, folder, "-c", f"{subset.imports}\n{_INSTALL}", asked)
        if done.returncode:
            return GuardOutcome("crashed", {}, {}, (), (), done.stderr[-400:])
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        entry = result.pop("path_entry")
        new = _check(python, folder, entry) - broken if entry else set()
        after = stamp(python.parents[1])
    changed = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
    shutil.rmtree(folder / "environments", ignore_errors=True)
    return GuardOutcome(**result, broken=tuple(sorted(new)), changed=tuple(sorted(changed)))


def stamp(environment: Path) -> dict[str, tuple[int, int, int]]:
    """Inode, size and time of every file of the environment's library; bytecode and tierproof's path file aside."""
    found = {}
    for root, folders, names in os.walk(environment / "lib"):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            path = Path(root, name)
            status = path.lstat()
            if name != "tierproof-packages.pth":
                found[str(path.relative_to(environment))] = (
                    status.st_ino,
                    status.st_size,
                    status.st_mtime_ns,
                )
    return found


def _check(python: Path, data: Path, entry: str) -> set[str]:
    """Give what `pip check` finds, with `entry` in front of the path."""
    environment = describe_process(data)
    environment["PYTHONPATH"] = entry
    done = subprocess.run(
        [python, "-m", "pip", "check"], env=environment, capture_output=True, text=True, check=False
    )
    return set(done.stdout.splitlines()) - {"No broken requirements found."}


def _run(python: Path, data: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [python, *arguments],
            env=describe_process(data),
            cwd=data,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess([], 124, "", f"not done within {LIMIT_S} s")
