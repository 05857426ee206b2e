"""What it costs to capture the attention of GPT-2 124M with all statistics, beside a plain pass and eager attention.

Every figure is of a fresh process: CPU time of the pass, and peak memory over imports and weights.
"""

from __future__ import annotations

import json
import statistics
import sys

from child_process import read_peak_bytes, run_child
from table import format_table

KINDS = {
    "plain": "plain forward (SDPA)",
    "capture": "capture with all statistics",
    "eager": "eager output_attentions",
}
LENGTHS = (1024, 2048)
RUNS, THREADS = 5, 2
MOST_CPU, MOST_MEMORY = 2.0, 1.1


def run() -> tuple[str, bool]:
    """The table, and whether both bars are met at each length."""
    rows, met = [], True
    for length in LENGTHS:
        runs: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
        for _ in range(RUNS):  # in turns, so that a slow moment of the machine hits all alike
            for kind, found in runs.items():
                found.append(run_child(__file__, kind, length))
        cpu_s = {kind: statistics.median(each["cpu_s"] for each in found) for kind, found in runs.items()}
        peak = {kind: statistics.median(each["peak_bytes"] for each in found) for kind, found in runs.items()}
        met &= cpu_s["capture"] <= MOST_CPU * cpu_s["plain"]
        met &= peak["capture"] <= MOST_MEMORY * peak["plain"]
        rows += [
            (
                f"{length}",
                KINDS[kind],
                f"{cpu_s[kind]:.1f}",
                f"{cpu_s[kind] / cpu_s['plain']:.2f}",
                f"{peak[kind] / 2**20:.0f}",
                f"{peak[kind] / peak['plain']:.2f}",
            )
            for kind in KINDS
        ]
    table = format_table(("length", "pass", "CPU s", "× plain", "peak MiB", "× plain"), rows)
    bars = (
        f"Bars for the capture: {MOST_CPU:.0f} × the CPU time and {MOST_MEMORY} × the peak memory of a plain pass: "
        f"{'met' if met else 'MISSED'}."
    )
    about = (
        f"GPT-2 124M, random weights, batch 1, fp32, {THREADS} threads; medians of {RUNS}, a process each."
    )
    return f"{about}\n{table}\n{bars}", met


def _main(kind: str, length: int) -> None:
    import time

    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from tierproof.analysis.attention.capture_patterns import observe_attention
    from tierproof.analysis.attention.measure_pattern import measure_pattern

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    attention = "eager" if kind == "eager" else "sdpa"
    config = GPT2Config(n_positions=max(LENGTHS), attn_implementation=attention)
    model = GPT2LMHeadModel(config).eval()
    tokens = torch.randint(0, config.vocab_size, (1, length))

    def forward(**options: bool) -> object:
        return model(tokens, use_cache=False, **options)

    with torch.no_grad():
        model(tokens[:, :8])
        before = read_peak_bytes()
        started = time.process_time()
        if kind == "capture":
            kept = []
            observe_attention(model, forward, 1, lambda pattern: kept.append(measure_pattern(pattern)))
        else:
            kept = [forward(output_attentions=kind == "eager")]
        cpu_s = time.process_time() - started
    peak = read_peak_bytes() - before
    print(json.dumps({"cpu_s": cpu_s, "peak_bytes": peak, "kept": len(kept)}))


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]))
