"""Part (images): what an answer about a hosted image takes, with warm caches, and all images times ten requests.

Each query is a process of its own, `tierproof plan REQ --image IMAGE --json`, from its start to its end. *Asked* is a
query whose answer has to be worked out: where PyPI is not the only index that is configured, no kept answer counts
as fresh, and each run asks again. *Kept* is `--offline`: from the kept answers. All answers are of one day.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from reach import find_shared, read_corpus
from table import format_table

from tierproof.images.base.hosted_base import open_image
from tierproof.images.judge.judge_install import QuestionOptions
from tierproof.images.judge.preflight import preflight
from tierproof.images.read.found_install import PreflightTarget
from tierproof.images.read.read_target import read_targets
from tierproof.images.store.image_store import list_images
from tierproof.images.store.open_source import open_source
from tierproof.images.store.sync_images import sync_images

IMAGE = "colab:2026.01"
DAY = "2026-11-01"
REQUESTS = (
    "captum", "optuna", "lightning", "ray[tune]", "bertviz", "transformer-lens", "datasets", "datasets>=4.4",
    "numpy==2.3.4", "open3d",
)  # fmt: skip
LINES = 30
MOST_P50_S, MOST_P95_S, MOST_ALL_S, MOST_KEPT_S = 1.0, 3.0, 300.0, 0.3
_OPTIONS = ("--image", IMAGE, "--exclude-newer", DAY, "--json")
SOURCE = Path(__file__).resolve().parents[1] / "src"


def run() -> tuple[str, bool]:
    """The table, and whether every bar is met."""
    shared = find_shared()
    if shared is None:
        return "skipped: the images lie in no ../shared and TIERPROOF_SHARED names none", True
    with tempfile.TemporaryDirectory(prefix="tierproof-images-") as folder:
        os.environ["TIERPROOF_IMAGES"] = folder
        sync_images(open_source(str(shared / "runtimes" / "colab")))
        rows, met = measure_queries(shared)
        more, met_all = measure_all()
    table = format_table(("what", "n", "p50 s", "p95 s", "bar", ""), [*rows, *more])
    return f"Answers of {DAY}, on {IMAGE}.\n{table}", met and met_all


def measure_queries(shared: Path) -> tuple[list[tuple[str, ...]], bool]:
    lines = [list(map(str, each["requirements"])) for each in read_corpus(shared)]  # type: ignore[call-overload]
    plain = [each for each in lines if not any("://" in word or word.startswith(".") for word in each)]
    requests = [*([each] for each in REQUESTS), *plain[:: max(1, len(plain) // LINES)][:LINES]]
    for request in requests:
        ask(request)
    asked = [ask(request) for request in requests]
    kept = [ask(request, "--offline") for request in requests]
    rows, met = [], True
    for name, times, p50, p95 in (
        ("asked, warm", asked, MOST_P50_S, MOST_P95_S),
        ("kept", kept, MOST_KEPT_S, None),
    ):
        ordered = sorted(times)
        middle, high = statistics.median(ordered), ordered[int(0.95 * len(ordered))]
        good = middle <= p50 and (p95 is None or high <= p95)
        met &= good
        bar = f"p50 {p50}" + (f", p95 {p95}" if p95 else "")
        rows.append((name, str(len(times)), f"{middle:.2f}", f"{high:.2f}", bar, "met" if good else "MISSED"))
    return rows, met


def ask(request: list[str], *options: str) -> float:
    """Seconds of one query, the start of the process included."""
    started = time.perf_counter()
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tierproof",
            "plan",
            *request,
            "--image",
            IMAGE,
            "--exclude-newer",
            DAY,
            "--json",
            *options,
        ],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    assert done.returncode != 2 or "error" in done.stderr, done.stderr
    if done.stdout:
        json.loads(done.stdout)
    return seconds


def measure_all() -> tuple[list[tuple[str, ...]], bool]:
    """Every image times ten requests in one call, after what the images' packages declare was read once."""
    images = [open_image(image) for image in list_images()]
    for image in images:
        _ = image.base
    targets: list[PreflightTarget] = [target for word in REQUESTS for target in read_targets([word])]
    fresh = [open_image(image) for image in list_images()]
    started = time.perf_counter()
    result = preflight(targets, fresh, QuestionOptions(exclude_newer=DAY, refresh=True), show_progress)
    seconds = time.perf_counter() - started
    failed = sum(each.exit_code == 2 for each in result.results)
    good = seconds <= MOST_ALL_S
    name = f"{len(fresh)} images × {len(targets)} requests ({failed} not judged)"
    rows = [
        (
            name,
            str(len(result.results)),
            f"{seconds:.0f} in all",
            "",
            f"{MOST_ALL_S:.0f}",
            "met" if good else "MISSED",
        )
    ]
    return rows, good and not failed


def show_progress(done: int, total: int, name: str) -> None:
    print(f"[{done}/{total}] {name}", file=sys.stderr, flush=True)
