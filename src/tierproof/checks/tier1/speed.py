"""T1-SPEED: how fast inference is, and how much of the machine's speed it uses.

What it does: measures latencies of forward passes in eval mode without gradients, after a warm-up; counts the
operations of one pass; measures the speed of a plain matrix product in the same process and gives the model's speed as
a share of it. Models of up to a million parameters run on one thread, as `threads` shows, because more threads would
wait for each other longer than they compute.

Why it matters: if the share is only a few percent, the time goes into something other than arithmetic.

Evidence: latencies and rates. Timings vary, so nothing here is an error or a warning.

Exemptions: none.

Findings: none; it only measures.

Source: the definitions of latency, throughput and floating-point operations; see benchmarks/analytic.py.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import torch

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.measurements.latencies import Latencies
from tierproof.model.call.call import Call
from tierproof.model.costs.flops import count_flops
from tierproof.model.costs.peak_flops import find_peak_flops
from tierproof.model.describe.subject import Subject

FEWEST_RUNS, MOST_RUNS = 2, 30
LONGEST_S = 1.0
# A pass longer than this needs no second warm-up: what the first one pays once is small beside it.
_LONG_PASS_S = 0.1


def run(context: CheckContext) -> CheckOutput:
    """Time forward passes at the default batch and length."""
    subject = context.subject
    subject.model.eval()
    call = subject.make_call(seed=context.seed)
    started = time.perf_counter()
    counted = count_flops(subject.model, lambda: call.run(subject.model))
    warm_up_s = time.perf_counter() - started
    if subject.device.type == "meta":
        return CheckOutput(
            measurements={"flops": counted.total, "flops_by_operator": dict(counted.by_operator)},
            skipped="parameters are on the meta device: operations are counted, and nothing can be timed",
        )
    with torch.no_grad():
        if warm_up_s < _LONG_PASS_S:
            _time_once(subject, call)
        latencies_s = _time_repeatedly(context, call)
    median_s = statistics.median(latencies_s)
    plan = subject.inputs
    batch = plan.default_batch if plan.has_batch else 1
    length = plan.default_length if plan.has_length else None
    rate = counted.total / median_s
    peak = find_peak_flops(subject.device, _find_dtype(subject), at_least=rate)
    modules = sorted(counted.by_module.items(), key=lambda item: -item[1])
    return CheckOutput(
        measurements=Latencies(
            latencies_ms=tuple(1e3 * latency for latency in latencies_s),
            median_ms=1e3 * median_s,
            p90_ms=1e3 * percentile(latencies_s, 0.9),
            p99_ms=1e3 * percentile(latencies_s, 0.99),
            peak_share=rate / peak,
            rates={
                "tokens_per_s": batch * length / median_s if length is not None else None,
                "samples_per_s": batch / median_s,
                "flops": counted.total,
                "flops_by_operator": dict(counted.by_operator),
                "flops_by_module": dict(modules[:12]),
                "achieved_flops_per_s": rate,
                "peak_flops_per_s": peak,
            },
            setting={"batch": batch, "length": length, "threads": torch.get_num_threads()},
        )
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie, interpolated between neighbours."""
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def _time_repeatedly(context: CheckContext, call: Call) -> list[float]:
    """At least two passes, then more for up to a second; fewer only when the time budget is used up."""
    latencies_s: list[float] = []
    while len(latencies_s) < MOST_RUNS:
        latencies_s.append(_time_once(context.subject, call))
        enough = len(latencies_s) >= FEWEST_RUNS and sum(latencies_s) >= LONGEST_S
        if enough or context.deadline.expired:
            break
    return latencies_s


def _time_once(subject: Subject, call: Call) -> float:
    if subject.device.type == "cuda":
        torch.cuda.synchronize(subject.device)
    started = time.perf_counter()
    call.run(subject.model)
    if subject.device.type == "cuda":
        torch.cuda.synchronize(subject.device)
    return time.perf_counter() - started


def _find_dtype(subject: Subject) -> torch.dtype:
    """The dtype in which most parameters are multiplied; float32 where it is no plain float."""
    sizes: dict[torch.dtype, int] = {}
    for parameter in subject.model.parameters():
        if parameter.dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
            sizes[parameter.dtype] = sizes.get(parameter.dtype, 0) + parameter.numel()
    return max(sizes, key=lambda dtype: sizes[dtype], default=torch.float32)


CHECK = Check(
    code="T1-SPEED",
    name="inference speed",
    tier=1,
    run=run,
    cost_steps=1.5,
    value=40,
    native=True,
)
