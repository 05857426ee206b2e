"""Search for tokens that turn one row's answer, within a budget of forward passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tierproof.analysis.adversarial.adversarial_figures import (
    COORDINATE,
    HOTFLIP,
    RANDOM,
    SearchStep,
)
from tierproof.analysis.adversarial.class_margin import CANDIDATES, ClassMargin
from tierproof.analysis.adversarial.token_proposals import (
    Playground,
    TokenEffects,
    combine_best,
    draw_among,
    draw_any,
    rank_effects,
    take_best,
)
from tierproof.core.time_limit import TimeIsUp

# Of each position so many tokens are candidates of the greedy coordinate search.
_RANKED_EACH = 8
# A backward pass costs about two forward passes, so a gradient costs three.
_GRADIENT_PASSES = 3
# Beside single replacements, one gradient proposes so many at once: each gradient is dear.
_SEVERAL = (2, 3, 4)


@dataclass
class SearchState:
    """The best input so far.

    Attributes:
        ids: [positions].
        margin: of it.
        steps: each improvement.
        effects: first-order effects at `ids`; None where they are to be computed.
        reason: why the search ended before its budget.
        timed_out: whether the time limit ended it.
    """

    ids: Tensor
    margin: float
    steps: list[SearchStep] = field(default_factory=list)
    effects: TokenEffects | None = None
    reason: str = ""
    timed_out: bool = False


Propose = Callable[[SearchState, ClassMargin, Playground, int, torch.Generator], list[Tensor]]


def search_tokens(
    name: str, margin: ClassMargin, ground: Playground, start: float, budget: int, seed: int
) -> SearchState:
    """Lower the margin step by step until it is below zero or the budget is spent.

    Each step evaluates up to eight inputs, and keeps the best of them if it is better than the best so far. They
    differ from it by one token; of a gradient that is fresh, three of them by two to four.

    Args:
        name: `hotflip` evaluates the edits with the largest first-order effect, alone and together; `greedy
            coordinate` draws among the 8 best tokens of each position; `random` draws from all.
        start: the margin of the original.
        budget: forward passes; a gradient costs three. It is never exceeded.
        seed: of the draws.

    Raises:
        NoGradient: a search led by gradients cannot derive the margin.
    """
    generator = torch.Generator().manual_seed(seed)
    state = SearchState(ground.original.clone(), start)
    margin.count.spent = 0
    propose = _PROPOSERS[name]
    try:
        while state.margin >= 0 and not state.reason:
            _take_step(state, margin, ground, budget, generator, propose)
    except TimeIsUp:
        state.timed_out = True
        state.reason = "the time was up"
    return state


def _take_step(
    state: SearchState,
    margin: ClassMargin,
    ground: Playground,
    budget: int,
    generator: torch.Generator,
    propose: Propose,
) -> None:
    edits = propose(state, margin, ground, budget, generator)
    left = budget - margin.count.spent
    if left < 1:
        state.reason = "the budget was spent"
    elif not edits:
        state.reason = state.reason or "every edit that was ranked or is allowed was tried"
    if state.reason:
        return
    edits = edits[:left]
    margins = margin.measure(torch.stack(edits))
    best = _choose(edits, margins, ground)
    if float(margins[best]) < state.margin:
        state.ids, state.margin, state.effects = edits[best], float(margins[best]), None
        changed = int((state.ids != ground.original).sum())
        state.steps.append(SearchStep(margin.count.spent, changed, state.margin))


def _choose(edits: list[Tensor], margins: Tensor, ground: Playground) -> int:
    """The edit with the smallest margin; of those that turn the answer, the one that changes fewest tokens."""
    turning = [
        (int((edits[place] != ground.original).sum()), float(margin), place)
        for place, margin in enumerate(margins.tolist())
        if margin < 0
    ]
    return min(turning)[2] if turning else int(margins.argmin())


def _require_effects(
    state: SearchState, margin: ClassMargin, ground: Playground, budget: int, each: int
) -> bool:
    """Compute the effects at the present input where they are missing; False where the budget has no room."""
    if state.effects is None:
        if margin.count.spent + _GRADIENT_PASSES >= budget:
            state.reason = "the budget was spent"
            return False
        state.effects = rank_effects(margin.derive(state.ids), state.ids, ground, each)
    return True


def _follow_gradient(
    state: SearchState, margin: ClassMargin, ground: Playground, budget: int, generator: torch.Generator
) -> list[Tensor]:
    del generator
    fresh = state.effects is None
    if not _require_effects(state, margin, ground, budget, CANDIDATES * 4):
        return []
    effects = state.effects or TokenEffects()
    several = combine_best(effects, state.ids, ground, _SEVERAL) if fresh else []
    return [*take_best(effects, state.ids, ground, CANDIDATES - len(several)), *several]


def _sample_gradient(
    state: SearchState, margin: ClassMargin, ground: Playground, budget: int, generator: torch.Generator
) -> list[Tensor]:
    if not _require_effects(state, margin, ground, budget, _RANKED_EACH):
        return []
    return draw_among(state.effects or TokenEffects(), state.ids, ground, CANDIDATES, generator)


def _sample_any(
    state: SearchState, margin: ClassMargin, ground: Playground, budget: int, generator: torch.Generator
) -> list[Tensor]:
    del margin, budget
    return draw_any(state.ids, ground, CANDIDATES, generator)


_PROPOSERS: dict[str, Propose] = {
    HOTFLIP: _follow_gradient,
    COORDINATE: _sample_gradient,
    RANDOM: _sample_any,
}
