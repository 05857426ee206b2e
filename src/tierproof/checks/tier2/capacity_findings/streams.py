"""Judge the residual streams: massive activations, blocks that do nothing, positions that are all alike."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from tierproof.analysis.capacity.capacity_figures import (
    BlockStack,
    BlockState,
    CapacityFigures,
    ModelCapacity,
)
from tierproof.core.finding import Finding, Severity

CODE = "T2-CAPACITY"
# Sun et al. 2024, section 2.
_MASSIVE, _MASSIVE_RATIO = 100.0, 1000.0
_LARGEST_FLOAT16 = 65504.0
# Rounding of a sum in float32 leaves as much.
_UNCHANGED = 1e-6
_CHANGED = 1e-3
_ALIKE, _TWIN_RATIO = 1e-3, 30.0
_LEAST_POSITIONS = 8
_SHOWN = 8


def judge_massive(measured: ModelCapacity) -> list[Finding]:
    """Places with a massive activation, and those beyond float16."""
    states = [(stack, state) for stack in measured.own.stacks for state in stack.states]
    beyond = [(stack, state) for stack, state in states if state.largest > _LARGEST_FLOAT16]
    massive = [
        (stack, state)
        for stack, state in states
        if state.largest > _MASSIVE and state.largest > _MASSIVE_RATIO * state.median
    ]
    found = beyond or massive
    if not found:
        return []
    stack, worst = max(found, key=lambda each: each[1].largest)
    first = found[0][1]
    twin = _find_state(measured.twin, worst.path)
    place = "" if worst.position is None else f" at position {worst.position}"
    ratio = f"{worst.largest / worst.median:,.0f} times the median" if worst.median else "the median is zero"
    return [
        Finding(
            f"{CODE}-002",
            Severity.WARNING if beyond else Severity.INFO,
            f"The residual stream reaches {worst.largest:,.4g} in channel {worst.channel}{place} after "
            f"`{worst.path or stack.path}` ({ratio}). Such values occur at {len(found)} of the {len(states)} places "
            "measured." + (" The largest float16 is 65,504." if beyond else ""),
            first.path or stack.path,
            {
                "largest": worst.largest,
                "median": worst.median,
                "channel": worst.channel,
                "largest_in_twin": None if twin is None else twin.largest,
                "places": [state.path or each.path for each, state in found[:_SHOWN]],
            },
            "Run it in bfloat16 or float32, or scale the residual branches down."
            if beyond
            else "Nothing to mend: trained models use such values as constant biases. Quantise this channel on its "
            "own, and keep it when pruning.",
        )
    ]


def judge_unchanged(measured: ModelCapacity) -> list[Finding]:
    """Blocks whose output equals their input, while others of their stack change theirs and a fresh one would too."""
    found = []
    for stack in measured.own.stacks:
        updates = [state.update for state in stack.states[1:] if state.update is not None]
        if not updates or median(updates) < _CHANGED:
            continue
        found += [state for state in stack.states[1:] if _is_unchanged(state, measured.twin)]
    if not found:
        return []
    first = found[0]
    twin = _find_state(measured.twin, first.path)
    return [
        Finding(
            f"{CODE}-003",
            Severity.WARNING,
            f"`{first.path}` returns its input unchanged: its branches add only {first.update or 0.0:.1e} times the "
            "norm of the input" + (f" ({len(found)} blocks do so)." if len(found) > 1 else "."),
            first.path,
            {
                "share": first.update,
                "share_in_twin": None if twin is None else twin.update,
                "blocks": [state.path for state in found[:_SHOWN]],
            },
            "Look in this block for an output projection or a scale that is zero, for a branch that is not added, and "
            "for weights that were not loaded. If this is intended, remove the block: the answer stays the same.",
        )
    ]


def _is_unchanged(state: BlockState, twin: CapacityFigures | None) -> bool:
    other = _find_state(twin, state.path)
    by_design = other is not None and other.update is not None and other.update < _UNCHANGED
    return state.update is not None and state.update < _UNCHANGED and not by_design


def judge_collapse(measured: ModelCapacity) -> list[Finding]:
    """The first block behind which all positions are alike, though they are not in a fresh instance."""
    for stack, state in _iterate_blocks(measured.own):
        twin = _find_state(measured.twin, state.path)
        if (
            twin is None
            or stack.positions < _LEAST_POSITIONS
            or max(state.spread, state.channel_spread) >= _ALIKE
        ):
            continue  # one constant channel that outweighs the others is no collapse
        if twin.channel_spread < max(_TWIN_RATIO * state.channel_spread, _ALIKE):
            continue
        return [
            Finding(
                f"{CODE}-005",
                Severity.WARNING,
                f"After `{state.path}`, the hidden states of all {stack.positions} positions are nearly the same: they "
                f"differ by {state.spread:.1e} of their norm, and by {twin.spread:.1e} in a fresh instance.",
                state.path,
                {"spread": state.spread, "spread_in_twin": twin.spread, "positions": stack.positions},
                "Look at the attention of this block (does it average over everything?), at a bias that outweighs "
                "everything else, and at the residual connections before it.",
            )
        ]
    return []


def _iterate_blocks(figures: CapacityFigures) -> Iterator[tuple[BlockStack, BlockState]]:
    return ((stack, state) for stack in figures.stacks for state in stack.states[1:])


def _find_state(figures: CapacityFigures | None, path: str) -> BlockState | None:
    if figures is None or not path:
        return None
    return next((state for _, state in _iterate_blocks(figures) if state.path == path), None)
