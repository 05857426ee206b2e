"""What an audit of GPT-2's training step costs: in steps of that loop, and in its peak memory."""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

from child_process import read_peak_bytes, run_child

BATCH, LENGTH = 2, 128
MOST_STEPS, MOST_MEMORY, RUNS = 30.0, 2.0, 3


def run() -> tuple[str, bool]:
    """The figures, and whether both bars are met."""
    audits: list[dict[str, Any]] = []
    loops: list[dict[str, Any]] = []
    for _ in range(RUNS):  # in turns, so that a slow moment of the machine hits both alike
        audits.append(run_child(__file__, "audit"))
        loops.append(run_child(__file__, "loop"))
    calls = audits[0]["calls"]
    steps = statistics.median(each["seconds"] / each["step_s"] for each in audits)
    peak = {
        kind: statistics.median(each["peak_bytes"] for each in found)
        for kind, found in (("audit", audits), ("loop", loops))
    }
    ratio = peak["audit"] / peak["loop"]
    fast, small = steps <= MOST_STEPS, ratio <= MOST_MEMORY
    peaks = ", ".join(f"{kind} {size / 2**20:.0f} MiB" for kind, size in peak.items())
    step_s = statistics.median(each["step_s"] for each in audits)
    about = (
        f"GPT-2 124M, batch {BATCH} × length {LENGTH}, AdamW, clipping, cosine schedule; a step: {step_s:.2f} s. "
        f"The audit calls the step {calls} times. Medians of {RUNS}, a process each."
    )
    text = [
        about,
        f"Bar: at most {MOST_STEPS:.0f} steps: {steps:.1f}, {'met' if fast else 'MISSED'}.",
        f"Peak memory over the imports: {peaks}.",
        f"Bar: at most {MOST_MEMORY} × the loop: {ratio:.2f}, {'met' if small else 'MISSED'}.",
    ]
    return "\n".join(text), fast and small


def _main(kind: str) -> None:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    import tierproof

    tierproof.audit  # noqa: B018 - the function is imported on first use
    baseline = read_peak_bytes()
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config())
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1000)
    batches = list(torch.randint(0, 50257, (3, BATCH, LENGTH)))
    calls = 0

    def count_call(*_: object) -> None:
        nonlocal calls
        calls += 1

    def step(batch: torch.Tensor) -> float:
        optimizer.zero_grad()
        loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        return loss.item()

    times = []
    for index in range(4):  # so that the loop has its optimizer's state before either measurement
        started = time.perf_counter()
        step(batches[index % 3])
        times.append(time.perf_counter() - started)
    document: dict[str, Any] = {"step_s": statistics.median(times[1:])}
    if kind == "audit":
        counted = torch.nn.modules.module.register_module_forward_pre_hook(
            lambda module, _args: count_call() if module is model else None
        )
        started = time.perf_counter()
        tierproof.audit(step, batches, progress=False)
        document["seconds"] = time.perf_counter() - started
        counted.remove()
    document["calls"] = calls
    document["peak_bytes"] = read_peak_bytes() - baseline
    print(json.dumps(document))


if __name__ == "__main__":
    _main(sys.argv[1])
