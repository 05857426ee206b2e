"""Part (plan): what `tp.plan` takes in an environment with the 660 packages of a hosted image, from call to answer.

The packages are there as metadata alone, in a folder in front of the base's own; a kernel with numpy, pandas and
torch loaded asks, each request once to fill the caches and once for the table. The image lies in a folder beside the
repository (`TIERPROOF_SHARED`, else `../shared`); without it this part is skipped.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from pathlib import Path

from hosted_base import describe_environment, make_base
from reach import find_shared
from table import format_table

from tierproof.guard.capture.base import Base
from tierproof.images.base.image_base import make_image_base
from tierproof.images.store.image_store import find_stored_image

IMAGE = "colab:2026.01"
REQUESTS = (
    "captum", "optuna", "lightning", "ray[tune]", "bertviz", "transformer-lens", "datasets", "datasets>=4.4",
    "numpy==2.3.4", "open3d", "gradio", "langchain", "einops", "timm", "faiss-cpu", "sentence-transformers",
    "evaluate", "wandb", "streamlit", "pytorch-lightning",
)  # fmt: skip
MOST_P50_S, MOST_P95_S = 0.5, 2.0
_CODE = """
import json, sys, time
import numpy, pandas, torch
import tierproof as tp
from tierproof.errors import TierproofError

def ask(request):
    started = time.perf_counter()
    try:
        verdict = tp.plan(request).verdict.value
    except TierproofError as error:
        verdict = type(error).__name__
    return time.perf_counter() - started, verdict

requests = sys.argv[1:]
for request in requests:
    ask(request)
print(json.dumps({request: ask(request) for request in requests}))
"""


def run() -> tuple[str, bool]:
    """The table, and whether both bars are met."""
    shared = find_shared()
    if shared is None:
        return "skipped: the images lie in no ../shared and TIERPROOF_SHARED names none", True
    base = make_image_base(find_stored_image(IMAGE, shared / "runtimes" / "colab")).base
    with tempfile.TemporaryDirectory() as folder:
        site = write_metadata(base, Path(folder, "site"))
        environment = describe_environment(Path(folder, "data"))
        environment["PYTHONPATH"] = f"{site}:{environment['PYTHONPATH']}"
        done = subprocess.run(
            [make_base(), "-c", _CODE, *REQUESTS], env=environment, capture_output=True, text=True, check=True
        )
    answers = json.loads(done.stdout.splitlines()[-1])
    times = sorted(seconds for seconds, _ in answers.values())
    middle, high = statistics.median(times), times[int(0.95 * len(times))]
    met = middle <= MOST_P50_S and high <= MOST_P95_S
    rows = [(request, verdict, f"{seconds:.2f}") for request, (seconds, verdict) in answers.items()]
    return (
        f"{len(base.by_name)} packages of {IMAGE}: p50 {middle:.2f} s, p95 {high:.2f} s; "
        f"bars {MOST_P50_S} and {MOST_P95_S} s: {'met' if met else 'MISSED'}\n"
        f"{format_table(('request', 'verdict', 's'), rows)}"
    ), met


def write_metadata(base: Base, site: Path) -> Path:
    for item in base.by_name.values():
        metadata = site / f"{item.name.replace('-', '_')}-{item.version}.dist-info"
        metadata.mkdir(parents=True)
        lines = [f"Metadata-Version: 2.1\nName: {item.name}\nVersion: {item.version}"]
        lines += [f"Requires-Dist: {each}" for each in item.requires]
        (metadata / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (metadata / "RECORD").write_text(f"{metadata.name}/METADATA,,\n", encoding="utf-8")
    return site
