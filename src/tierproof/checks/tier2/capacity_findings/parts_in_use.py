"""Judge experts that get no token, and units that never give anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tierproof.analysis.capacity.capacity_figures import ExpertLoad, ModelCapacity, UnitActivity
from tierproof.analysis.capacity.watch_passes import WatchedPasses
from tierproof.core.finding import Finding, Severity

CODE = "T2-CAPACITY"
# Of an even share.
_STARVED = 0.02
_TOKENS_PER_EXPERT = 64
_WORDS_PER_EXPERT = 4
_EVEN = 1 - 1e-6
_SILENT_SHARE = 0.9
_LEAST_UNITS, _LEAST_POSITIONS = 8, 256
_SHOWN = 8


def find_idle_experts(loads: Iterable[ExpertLoad]) -> list[tuple[ExpertLoad, tuple[int, ...]]]:
    """Mixtures with experts that get less than a fiftieth of an even share, and the numbers of those."""
    found = []
    for load in loads:
        numbers = tuple(n for n, share in enumerate(load.shares) if share * len(load.shares) < _STARVED)
        if numbers:
            found.append((load, numbers))
    return found


def find_silent_layers(units: Iterable[UnitActivity]) -> list[UnitActivity]:
    """Activation functions nine tenths of whose units are silent."""
    return [each for each in units if each.units >= _LEAST_UNITS and each.silent > _SILENT_SHARE * each.units]


def judge_experts(
    measured: ModelCapacity, more: WatchedPasses | None, *, given: bool, vocabulary: int | None
) -> list[Finding]:
    """The first mixture with an idle expert; the others are in the evidence.

    Args:
        more: random inputs beside the examples.
        given: whether the examples are a person's.
        vocabulary: how many different tokens there are; None where the model reads something else. Few tokens cannot
            reach many experts.
    """
    confirmed = {} if more is None else {load.path: load for load in more.experts}
    twins = {} if measured.twin is None else {load.path: load for load in measured.twin.experts}
    judged: list[tuple[Severity, ExpertLoad, tuple[int, ...], ExpertLoad]] = []
    for load, numbers in find_idle_experts(measured.own.experts):
        seen = confirmed.get(load.path)
        if seen is None:
            continue
        still = {n for _, idle in find_idle_experts([seen]) for n in idle}
        kept = tuple(n for n in numbers if n in still)
        enough = seen.choices >= _TOKENS_PER_EXPERT * len(seen.shares) or not seen.choices
        enough &= vocabulary is None or vocabulary >= _WORDS_PER_EXPERT * len(seen.shares)
        if kept and enough:
            judged.append((_weigh_experts(kept, load, twins.get(load.path)), load, kept, seen))
        elif given and not kept:
            judged.append((Severity.INFO, load, numbers, seen))
    if not judged:
        return []
    judged.sort(key=lambda each: list(Severity).index(each[0]))
    return [_report_experts(judged)]


def _weigh_experts(numbers: Sequence[int], load: ExpertLoad, twin: ExpertLoad | None) -> Severity:
    """A warning, unless the router has not begun to choose, or one drawn at random starves others than these.

    Where the scores of all experts are equal, the order alone decides. The same idle experts in both models are no
    chance: the code leaves them out.
    """
    if load.choices and load.relative_entropy is not None and load.relative_entropy > _EVEN:
        return Severity.INFO
    idle = {n for _, found in find_idle_experts([] if twin is None else [twin]) for n in found}
    return Severity.INFO if idle and idle != set(numbers) else Severity.WARNING


def _report_experts(judged: Sequence[tuple[Severity, ExpertLoad, tuple[int, ...], ExpertLoad]]) -> Finding:
    severity, load, numbers, seen = judged[0]
    named = ", ".join(map(str, numbers[:_SHOWN]))
    share = max(load.shares[n] for n in numbers)
    lost = find_idle_experts([seen])
    what = "no token" if share == 0 else f"{share:.2%} of the choices at most"
    where = "the examples, but gets random inputs" if not lost else "the inputs"
    return Finding(
        f"{CODE}-001",
        Severity.WARNING if severity is Severity.WARNING else Severity.INFO,
        f"{len(numbers)} of {len(load.shares)} experts of `{load.path}` get {what} of {where} ({named}); an even share "
        f"would be {1 / len(load.shares):.1%}.",
        load.path,
        {
            "experts": list(numbers[:64]),
            "shares": [round(each, 5) for each in load.shares[:64]],
            "shares_of_random_inputs": [round(each, 5) for each in seen.shares[:64]],
            "choices": load.choices + seen.choices,
            "router_entropy": load.relative_entropy,
            "mixtures": [each.path for _, each, *_ in judged[:_SHOWN]],
        },
        "Choose among all experts, check the sign and the size of the router's weights and biases, and add a term that "
        "balances the load (Fedus et al. 2022, section 2.2).",
    )


def judge_units(measured: ModelCapacity, more: WatchedPasses | None) -> list[Finding]:
    """Layers whose units are silent on the examples and on random inputs."""
    if more is None:
        return []
    again = {(each.path, each.function): each for each in find_silent_layers(more.units)}
    found = [
        each
        for each in find_silent_layers(measured.own.units)
        if (seen := again.get((each.path, each.function))) is not None
        and seen.positions >= _LEAST_POSITIONS
        and seen.units == each.units
    ]
    if not found:
        return []
    first = max(found, key=lambda each: each.silent / each.units)
    twins = {} if measured.twin is None else {each.path: each for each in measured.twin.units}
    twin = twins.get(first.path)
    return [
        Finding(
            f"{CODE}-004",
            Severity.WARNING,
            f"{first.silent} of {first.units} units of `{first.path}` ({first.function}) give nothing at any of "
            f"{first.positions + again[first.path, first.function].positions} positions.",
            first.path,
            {
                "silent": first.silent,
                "units": first.units,
                "silent_in_twin": None if twin is None else twin.silent,
                "layers": [each.path for each in found[:_SHOWN]],
            },
            "Lower the learning rate or the weight decay that pushed the biases down, start the biases at zero, or use "
            "GELU or SiLU, which let a gradient through; then draw these rows anew.",
        )
    ]
