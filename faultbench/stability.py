"""Whether another seed of the checks changes what they say of a mutant."""

from __future__ import annotations

import sys
from collections import Counter
from multiprocessing.pool import Pool

import torch

import tierproof
from faultbench.mutant import Mutant

COUNT = 30
# They only measure: no finding of theirs can change a verdict.
_MEASURING = ("T1-MEM", "T1-SPEED")


def measure_stability(pool: Pool, mutants: list[Mutant], seeds: int) -> tuple[str, bool]:
    """Check 30 mutants, spread over all classes, under `seeds` seeds each; the verdict must not change.

    The model is the same each time: only the seed of the checks differs.
    """
    faults = [m for m in mutants if not m.equivalent]
    chosen = faults[:: max(1, len(faults) // COUNT)][:COUNT]
    tasks = [(mutant, seed) for mutant in chosen for seed in range(seeds)]
    verdicts: dict[str, Counter[str]] = {mutant.name: Counter() for mutant in chosen}
    for (mutant, _), verdict in zip(tasks, pool.imap(_ask, tasks, chunksize=5), strict=True):
        verdicts[mutant.name][verdict] += 1
        print(f"{mutant.name}: {verdict}", file=sys.stderr, flush=True)
    unstable = {name: dict(counts) for name, counts in verdicts.items() if len(counts) > 1}
    text = f"{len(chosen)} mutants × {seeds} seeds: the verdict of {len(unstable)} changes"
    lines = [f"{name}: {counts}" for name, counts in unstable.items()]
    return "\n".join([text, *lines]), not unstable


def _ask(task: tuple[Mutant, int]) -> str:
    mutant, seed = task
    torch.manual_seed(0)
    torch.set_num_threads(1)
    try:
        report = tierproof.check(mutant.build(), seed=seed, skip=_MEASURING, progress=False)
    except tierproof.TierproofError as error:
        return type(error).__name__
    return str(report.verdict)
