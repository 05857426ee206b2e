"""Part (a): what Tier 1 costs on GPT-2 124M, in training steps of the same shape, and its peak memory."""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from child_process import read_peak_bytes, run_child
from table import format_table

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH, LENGTH = 2, 128
MOST_STEPS, MOST_MEMORY = 25.0, 1.5


def run() -> tuple[str, bool]:
    """The tables, and whether both bars are met."""
    child = run_child(__file__, "time")
    step_s, results, total_s = child["step_s"], child["results"], child["total_s"]
    rows = [(r["code"], r["outcome"], f"{r['s']:.2f}", f"{r['s'] / step_s:.2f}") for r in results]
    rest_s = total_s - sum(r["s"] for r in results)
    rows.append(("preparation and restoring", "", f"{rest_s:.2f}", f"{rest_s / step_s:.2f}"))
    rows.append(("all", child["verdict"], f"{total_s:.2f}", f"{total_s / step_s:.2f}"))
    steps = total_s / step_s
    memory = {
        kind: statistics.median(run_child(__file__, kind)["peak_bytes"] for _ in range(3))
        for kind in ("check", "step")
    }
    ratio = memory["check"] / memory["step"]
    met = steps <= MOST_STEPS and ratio <= MOST_MEMORY
    step = f"one training step (forward, backward, AdamW): {step_s:.2f} s, median of 3 before and 3 after"
    peaks = ", ".join(f"{kind} {size / 2**20:.0f} MiB" for kind, size in memory.items())
    text = [
        f"GPT-2 124M, batch {BATCH} × length {LENGTH}, fp32, {child['threads']} threads; {step}.",
        format_table(("check", "outcome", "seconds", "steps"), rows),
        f"Bar: at most {MOST_STEPS:.0f} steps: {steps:.1f}, {'met' if steps <= MOST_STEPS else 'MISSED'}.",
        f"Peak memory over the imports, a process each, median of 3: {peaks}.",
        f"Bar: check at most {MOST_MEMORY} × step: {ratio:.2f}, {'met' if ratio <= MOST_MEMORY else 'MISSED'}.",
    ]
    return "\n".join(text), met


def _import_and_measure() -> int:
    """Import everything that either child needs; the peak so far in bytes."""
    import torch  # noqa: F401
    from transformers import GPT2Config, GPT2LMHeadModel  # noqa: F401

    import tierproof

    tierproof.check  # noqa: B018 - the function is imported on first use
    return read_peak_bytes()


def _main(kind: str) -> None:
    baseline = _import_and_measure()
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    import tierproof

    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config())
    inputs = {"input_ids": torch.randint(0, 50257, (BATCH, LENGTH))}
    document: dict[str, Any] = {"threads": torch.get_num_threads()}
    # Steps before and after the check: the machine may be slower at one time than at another.
    steps_s = _time_steps(model, inputs["input_ids"], 3) if kind == "time" else []
    if kind in ("check", "time"):
        started = time.perf_counter()
        report = tierproof.check(model, inputs=inputs, progress=False)
        document["total_s"] = time.perf_counter() - started
        document["verdict"] = report.verdict.value
        document["results"] = [
            {"code": r.code, "outcome": r.outcome.value, "s": r.duration_s} for r in report.results
        ]
    if kind in ("step", "time"):
        steps_s += _time_steps(model, inputs["input_ids"], 3)
        document["step_s"] = statistics.median(steps_s)
    document["peak_bytes"] = read_peak_bytes() - baseline
    print(json.dumps(document))


def _time_steps(model: nn.Module, tokens: Tensor, runs: int) -> list[float]:
    """Seconds of training steps, after one that warms up."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    model.train()
    times = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        optimizer.zero_grad()
        model(input_ids=tokens, labels=tokens).loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - started)
    optimizer.zero_grad()
    return times[1:]


if __name__ == "__main__":
    _main(sys.argv[1])
