"""Judge weights whose effective rank is next to nothing."""

from __future__ import annotations

from tierproof.analysis.capacity.capacity_figures import ModelCapacity, WeightSpectrum
from tierproof.core.finding import Finding, Severity

CODE = "T2-CAPACITY"
_SMALL_SHARE = 0.01
# A matrix of rank one has an effective rank of 1, which may be more than a hundredth.
_RANK_ONE = 1.05
_LEAST_RANK = 4
_SHOWN = 8


def judge_ranks(measured: ModelCapacity) -> list[Finding]:
    """Weights of next to no rank, where those of a fresh instance have one."""
    twins = {} if measured.twin is None else {each.name: each for each in measured.twin.weights}
    found = [
        (each, twins[each.name])
        for each in measured.own.weights
        if each.name in twins and _is_small(each) and not _is_small(twins[each.name])
    ]
    if not found:
        return []
    first, twin = min(found, key=lambda each: each[0].rank_share)
    return [
        Finding(
            f"{CODE}-006",
            Severity.INFO,
            f"`{first.name}` has an effective rank of {first.effective_rank:.1f} of {first.full_rank}; a fresh "
            f"instance has {twin.effective_rank:.0f}"
            + (f". {len(found)} weights are like it." if len(found) > 1 else "."),
            first.name.rpartition(".")[0],
            {
                "effective_rank": first.effective_rank,
                "full_rank": first.full_rank,
                "effective_rank_of_twin": twin.effective_rank,
                "relative_error": first.relative_error,
                "weights": [each.name for each, _ in found[:_SHOWN]],
            },
            "A matrix of few directions can be stored as two thin ones. If it was not meant, look for a learning rate "
            "that is too high, or a weight decay that wiped out the rest.",
        )
    ]


def _is_small(weight: WeightSpectrum) -> bool:
    limit = max(_SMALL_SHARE * weight.full_rank, _RANK_ONE)
    return weight.full_rank >= _LEAST_RANK and weight.effective_rank <= limit
