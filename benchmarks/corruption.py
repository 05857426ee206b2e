"""Part: real requests, really installed on a real base, and whether any file of the base changed.

For each: a kernel with numpy, pandas and torch loaded installs it with every consent, imports what was added, and
compares `sys.path` with a fresh process's. The base is compared file by file before and after. Beside it, how many
base packages `pip install` would have replaced, by its own dry run on the same base.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hosted_base import describe_environment, make_base
from table import format_table

TROUBLEMAKERS = (
    "captum", "optuna", "lightning", "ray[tune]", "bertviz", "open3d", "datasets", "accelerate", "peft", "trl",
    "gradio", "umap-learn", "shap", "scikit-learn", "tokenizers<0.20", "pandas<2.2", "numpy==2.3.4", "requests<2.32",
    "protobuf<5", "huggingface-hub<0.30", "matplotlib<3.8",
)  # fmt: skip
FIRST, MORE = 70, 45
# Where Python's errors name a file of the machine that measured.
_PLACE = re.compile(r" \(/[^)]*\)?")
PIP_LIMIT_S = 60

_LIVE = """
import importlib, json, subprocess, sys, time
import numpy, pandas, torch
import tierproof as tp
began = time.perf_counter()
result = {"verdict": "", "added": 0, "error": "", "imports": True, "same_path": True, "told": []}
try:
    receipt = tp.install(*sys.argv[1:], allow_shadow=True, allow_aged=True)
    result |= {"verdict": receipt.plan.verdict.value, "added": len(receipt.added)}
    result["seconds"] = time.perf_counter() - began
    code = "import json, sys; print(json.dumps(sys.path))"
    fresh = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    result["same_path"] = fresh == sys.path or receipt.session_only
    import numpy.strings, numpy.ma, pandas.plotting, torch.fft
    if receipt.added:
        from tierproof.guard.generations.generation_store import GenerationStore
        from tierproof.guard.system.environment_folder import find_environment_folder
        from tierproof.guard.stage.import_trial import find_modules
        store = GenerationStore(find_environment_folder())
        files = store.read(receipt.generation).inventory.packages
        shadows = {item.name for item in receipt.plan.shadows}
        for item in receipt.added:
            modules = find_modules(files[item.name])
            told = [note for note in receipt.notes if f" of {item.name} cannot be imported" in note]
            result["told"] += told
            if item.name not in shadows and modules and not told:
                module = importlib.import_module(modules[0])
except tp.PlanRefused as error:
    result |= {"verdict": error.plan.verdict.value, "seconds": time.perf_counter() - began}
except tp.TierproofError as error:
    result |= {"verdict": "refused", "error": str(error).splitlines()[0], "seconds": time.perf_counter() - began}
except ImportError as error:
    result |= {"imports": False, "error": repr(error)}
print(json.dumps(result))
"""


@dataclass(frozen=True)
class Outcome:
    """What became of one request."""

    request: str
    verdict: str
    added: int
    seconds: float
    changed: int
    imports: bool
    same_path: bool
    pip_changes: str
    error: str
    told: tuple[str, ...] = ()


def run() -> tuple[str, bool]:
    """The table of the first requests, and whether nothing was corrupted."""
    return try_requests(list_requests()[:FIRST], with_pip=True)


def run_more() -> tuple[str, bool]:
    """The table of further requests, without pip's dry run, which takes longer than all the rest."""
    return try_requests(list_requests()[FIRST : FIRST + MORE], with_pip=False)


def try_requests(requests: list[list[str]], *, with_pip: bool) -> tuple[str, bool]:
    """Try each, and give the table and whether nothing was corrupted."""
    python = make_base()
    outcomes = []
    for number, request in enumerate(requests, start=1):
        outcome = try_request(python, request, with_pip=with_pip)
        outcomes.append(outcome)
        print(
            f"[{number}/{len(requests)}] {outcome.request[:60]}: {outcome.verdict} {outcome.error[:90]}",
            flush=True,
        )
    rows = [
        (
            each.request[:44],
            each.verdict,
            str(each.added),
            f"{each.seconds:.1f}",
            str(each.changed),
            "yes" if each.imports else "NO",
            "yes" if each.same_path else "NO",
            each.pip_changes,
        )
        for each in outcomes
    ]
    sound = all(each.changed == 0 and each.imports and each.same_path for each in outcomes)
    counts = ", ".join(
        f"{count} {verdict}" for verdict, count in Counter(each.verdict for each in outcomes).most_common()
    )
    known = [int(each.pip_changes) for each in outcomes if each.pip_changes.isdigit()]
    installed = sum(each.verdict in ("additive", "shadow", "satisfied") for each in outcomes)
    head = (
        f"{len(outcomes)} requests, {installed} installed: {counts}. "
        f"Base files changed: {sum(each.changed for each in outcomes)}. "
        f"pip would have changed the base in {sum(count > 0 for count in known)} of {len(known)}, "
        f"{sum(known)} packages in all."
    )
    titles = (
        "request",
        "verdict",
        "added",
        "s",
        "base files changed",
        "imports",
        "same path",
        "pip would change",
    )
    causes = [
        f"{each.verdict}: {each.request[:60]}: {_PLACE.sub('', word)[:160]}"
        for each in outcomes
        for word in (*([each.error] if each.error else []), *each.told)
    ]
    lines = [
        head,
        format_table(titles, rows),
        "Why, and what receipts tell of parts that do not import:",
        *causes,
    ]
    return "\n".join(lines), sound and bool(outcomes)


def list_requests() -> list[list[str]]:
    """The troublemakers, and the corpus's lines, where there is one, that need no build and no other index."""
    shared = Path(os.environ.get("TIERPROOF_SHARED") or Path(__file__).resolve().parents[2] / "shared")
    corpus = shared / "corpus" / "colab-installs.jsonl"
    found = [[each] for each in TROUBLEMAKERS]
    if corpus.is_file():
        for line in corpus.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            plain = all(
                not each.startswith(("git+", "http", ".")) and " @ " not in each
                for each in entry["requirements"]
            )
            if (
                plain
                and entry["requirements"]
                and not {"index", "find-links", "no-deps"} & set(entry["flags"])
            ):
                found.append(entry["requirements"])
    return found


def try_request(python: Path, request: list[str], *, with_pip: bool) -> Outcome:
    """Install one request in a data folder of its own, and take it away again."""
    before = stamp(python)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [python, "-c", _LIVE, *request],
            env=describe_environment(Path(folder)),
            capture_output=True,
            text=True,
            check=False,
        )
        for path in python.parent.parent.glob("lib/python*/site-packages/tierproof-packages.pth"):
            path.unlink()
        clear_scripts(Path(folder))
    changed = count_changes(before, stamp(python))
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        return Outcome(" ".join(request), "crashed", 0, 0.0, changed, False, False, "", done.stderr[-300:])
    result = json.loads(lines[-1])
    return Outcome(
        " ".join(request),
        result["verdict"] or "installed",
        result["added"],
        result.get("seconds", 0.0),
        changed,
        result["imports"],
        result["same_path"],
        foresee_pip(python, request) if with_pip else "",
        result["error"],
        tuple(result["told"]),
    )


def stamp(python: Path) -> dict[str, tuple[int, int, int, int]]:
    """Inode, size and times of every file of the base; bytecode caches and scripts aside."""
    found = {}
    for root, folders, names in os.walk(python.parent.parent / "lib"):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            path = f"{root}/{name}"
            status = os.lstat(path)
            found[path] = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return found


def count_changes(
    before: dict[str, tuple[int, int, int, int]], after: dict[str, tuple[int, int, int, int]]
) -> int:
    """How many files are new, gone or other."""
    return sum(before.get(path) != after.get(path) for path in before.keys() | after.keys())


def clear_scripts(data: Path) -> None:
    """Remove the console scripts of an addition, by tierproof's own note of them."""
    for notes in data.glob("environments/*/launchers.json"):
        for path in json.loads(notes.read_text(encoding="utf-8")):
            Path(path).unlink(missing_ok=True)


def foresee_pip(python: Path, request: list[str]) -> str:
    """How many base packages pip would replace, by its dry run; a word where it could not tell."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [python, "-m", "pip", "install", "-q", "--dry-run", "--report", report, *request]
        began = time.perf_counter()
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PIP_LIMIT_S)
        except subprocess.TimeoutExpired:
            return f">{time.perf_counter() - began:.0f} s"
        if done.returncode:
            return "fails"
        names = {
            item["metadata"]["name"].lower().replace("_", "-")
            for item in json.loads(report.read_text())["install"]
        }
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "json"], capture_output=True, text=True, check=True
    )
    base = {item["name"].lower().replace("_", "-") for item in json.loads(listed.stdout)}
    return str(len(names & base))
