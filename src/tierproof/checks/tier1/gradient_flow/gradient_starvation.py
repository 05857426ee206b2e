"""Find which parameters without gradient should have one, where the graph is cut, and why the others are sound.

The exact invariant: if the outputs change in proportion to a parameter, backward must reach it. So every
parameter that took part in the forward and got no gradient (or exactly zero, over several inputs) is changed,
and the outputs are compared. If they change smoothly, the graph is cut. If they never change, the branch is
multiplied by zero or its result is not used. If they jump, a hard choice lies between, which is sound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.checks.check import CheckContext
from tierproof.checks.claim import claim_error
from tierproof.checks.tier1.gradient_flow.awaited_zeros import AwaitedZeros
from tierproof.checks.tier1.gradient_flow.blank_choice import BlankChoice
from tierproof.checks.tier1.gradient_flow.idle_table import is_idle_table
from tierproof.checks.tier1.gradient_flow.skipped_layers import judge_skipped_layers
from tierproof.checks.tier1.gradient_flow.starvation_cause import StarvationCause
from tierproof.checks.tier1.gradient_flow.starved_module import StarvedModule
from tierproof.checks.tier1.gradient_flow.unused_parameters import judge_routing, judge_unused_parameters
from tierproof.core.finding import Finding, Severity
from tierproof.model.call.call import Call
from tierproof.model.compare.silent_module import find_silent_module
from tierproof.model.describe.basis import Basis
from tierproof.model.gradients.dependence import DependenceProbe
from tierproof.model.gradients.gradient_pass import GradientPass
from tierproof.model.observe.operation_log import OperationLog

CODE = "T1-GRAD"
# Each costs four forwards, so a model with more starved modules is judged on these, the last executed first:
# the cut lies behind the last of them.
_MOST_PROBED = 12
_NAMES_SHOWN = 8
# What the note says about parameters that lack a gradient for a sound reason.
_SOUND = {
    StarvationCause.UNUSED: "are used in the forward pass, but no output depends on them",
    StarvationCause.AWAITS_ZEROS: (
        "get no gradient yet, because they are multiplied by parameters that are exactly zero"
    ),
    StarvationCause.CHOSEN: (
        "only affect a hard choice (top-k, argmax, rounding), or were not selected by one, so they get no gradient"
    ),
    StarvationCause.LONE_KEY: "get no gradient, because they only affect a softmax over a single key, whose output "
    "is always 1",
    StarvationCause.PADDING: "are only read at the row of `padding_idx`, and this row never gets a gradient",
    StarvationCause.EMPTY: "get no gradient, because no position of this input goes through them",
    StarvationCause.NOT_PROBED: (
        f"get no gradient; the reason is unknown, because only {_MOST_PROBED} such modules were examined"
    ),
}


def find_starved(model: nn.Module, passes: Sequence[GradientPass]) -> list[StarvedModule]:
    """Group the parameters that got nothing in any pass by owner, in order of first use.

    A module is `connected` when zeros arrived rather than nothing, and `whole` when all its trainable
    parameters are starved and one of them is a matrix.
    """
    # A matrix without elements (MobileBERT's, where two widths are equal) has nothing to learn.
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad and p.numel()}
    owners: dict[str, list[str]] = {}
    for name in parameters:
        owners.setdefault(name.rpartition(".")[0], []).append(name)
    log = passes[0].log
    found = []
    for path, names in owners.items():
        starved = [n for n in names if all(p.norms.get(n) in (None, 0.0) for p in passes)]
        if not starved:
            continue
        ticks = [
            p.log.used[id(parameters[n])] for p in passes for n in starved if id(parameters[n]) in p.log.used
        ]
        found.append(
            StarvedModule(
                path=path,
                names=tuple(starved),
                connected=any(p.norms.get(n) is not None for p in passes for n in starved),
                whole=len(starved) == len(names) and any(parameters[n].dim() >= 2 for n in starved),
                tick=min(ticks) if ticks and log is not None else None,
            )
        )
    return sorted(found, key=lambda item: (item.tick is None, item.tick or 0))


def judge_starved(
    context: CheckContext, call: Call, passes: Sequence[GradientPass], starved: Sequence[StarvedModule]
) -> list[Finding]:
    """Turn starved modules into findings."""
    model = context.subject.model
    unused = [item for item in starved if item.tick is None]
    used = [item for item in starved if item.tick is not None]
    if not used:
        return _judge_unused(model, passes[0], unused, ())[0]
    probe = DependenceProbe(context.subject, call, context.seed, passes[0].differentiable, {})
    if not probe.repeatable:
        findings, _ = _judge_unused(model, passes[0], unused, ())
        return [*findings, _note_unjudged(used, "the forward is not repeatable from a fixed seed")]
    causes = _find_causes(context, call, passes, used, probe)

    def select(cause: StarvationCause) -> list[StarvedModule]:
        return [item for item in used if causes[item] is cause]

    findings, listed = _judge_unused(
        model, passes[0], unused, [item for item in select(StarvationCause.UNUSED) if not item.connected]
    )
    findings += _report_cuts(model, passes[0], used, select(StarvationCause.CUT))
    zeroed = _report_zeroed(model, used, select(StarvationCause.ZEROED))
    findings += _blame_silent_module(context, call, zeroed)
    findings += [_report_dead(item) for item in select(StarvationCause.DEAD)]
    findings += judge_routing(model, passes[0], select(StarvationCause.CHOSEN))
    return findings + _note_sound(used, causes, listed)


def _note_sound(
    used: Sequence[StarvedModule], causes: Mapping[StarvedModule, StarvationCause], listed: frozenset[str]
) -> list[Finding]:
    """A note for each cause that is sound, about the modules that no finding has listed yet."""
    left = [item for item in used if not listed & set(item.names)]
    groups = {cause: [item for item in left if causes[item] is cause] for cause in _SOUND}
    return [_note(items, _SOUND[cause]) for cause, items in groups.items() if items]


def _find_causes(
    context: CheckContext,
    call: Call,
    passes: Sequence[GradientPass],
    used: Sequence[StarvedModule],
    probe: DependenceProbe,
) -> dict[StarvedModule, StarvationCause]:
    """Change the parameters of each module, compare the outputs, and conclude why it got no gradient."""
    causes = dict.fromkeys(used, StarvationCause.NOT_PROBED)
    waits: AwaitedZeros | None = None
    blank = BlankChoice(context, call, passes[0].differentiable)
    together = probe.measure([name for item in used for name in item.names])
    for item in list(reversed(used))[:_MOST_PROBED] if not together.none else used:
        movement = probe.measure(item.names) if not together.none else together
        if movement.smooth:
            only_padding = _reads_only_padding(context, call, item.path)
            causes[item] = StarvationCause.PADDING if only_padding else StarvationCause.CUT
        elif movement.none and passes[0].log.is_near_lone_softmax(item.path):
            causes[item] = StarvationCause.LONE_KEY
        elif passes[0].log.is_near_choice(item.path) or "expert" in item.path.lower():
            causes[item] = StarvationCause.CHOSEN
        elif not movement.none:
            dead = item.connected and item.whole
            causes[item] = StarvationCause.DEAD if dead else StarvationCause.CHOSEN
        elif not item.connected:
            causes[item] = StarvationCause.CHOSEN if blank.hides(item) else StarvationCause.UNUSED
        elif _is_fed_nothing(context, call, item.path):
            causes[item] = StarvationCause.EMPTY
        else:
            if waits is None:
                waits = AwaitedZeros(context, call, passes[0].differentiable)
            if waits.frees(item):
                causes[item] = StarvationCause.AWAITS_ZEROS
            else:
                zeroed = item.whole and not is_idle_table(context.subject.model, passes, item)
                causes[item] = StarvationCause.ZEROED if zeroed else StarvationCause.UNUSED
    return causes


def _reads_only_padding(context: CheckContext, call: Call, path: str) -> bool:
    """Whether an embedding looks up nothing but its padding row, as for an optional input that is left out."""
    padding = getattr(context.subject.model.get_submodule(path), "padding_idx", None)
    if padding is None:
        return False
    seen = _collect_inputs(context, call, path)
    return bool(seen) and all(bool((given == padding).all()) for given in seen)


def _is_fed_nothing(context: CheckContext, call: Call, path: str) -> bool:
    """Whether no position of this input goes through a module, as text through what is for audio."""
    seen = _collect_inputs(context, call, path)
    return bool(seen) and all(given.numel() == 0 for given in seen)


def _collect_inputs(context: CheckContext, call: Call, path: str) -> list[Tensor]:
    """The first argument of each call of a module in one forward pass."""
    seen: list[Tensor] = []

    def look(_module: nn.Module, arguments: tuple[Any, ...]) -> None:
        if arguments and isinstance(arguments[0], Tensor):
            seen.append(arguments[0])

    handle = context.subject.model.get_submodule(path).register_forward_pre_hook(look)
    try:
        with torch.no_grad():
            call.run(context.subject.model)
    finally:
        handle.remove()
    return seen


def _report_cuts(
    model: nn.Module, first: GradientPass, used: Sequence[StarvedModule], cut: Sequence[StarvedModule]
) -> list[Finding]:
    """One finding per run of cut modules that follow each other: one cut starves all that lies before it."""
    order = _order_owners(model, first.log)
    positions = {path: index for index, path in enumerate(order)}
    runs: list[list[StarvedModule]] = []
    for item in sorted(cut, key=lambda i: positions[i.path]):
        follows = runs and _only_starved_between(
            order, positions[runs[-1][-1].path], positions[item.path], used
        )
        if follows:
            runs[-1].append(item)
        else:
            runs.append([item])
    return [_report_cut(model, first.log, order, positions, run, used) for run in runs]


def _order_owners(model: nn.Module, log: OperationLog) -> list[str]:
    ticks: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and id(parameter) in log.used:
            path = name.rpartition(".")[0]
            ticks[path] = min(ticks.get(path, log.used[id(parameter)]), log.used[id(parameter)])
    return sorted(ticks, key=lambda path: ticks[path])


def _only_starved_between(order: list[str], start: int, end: int, used: Sequence[StarvedModule]) -> bool:
    starved = {item.path for item in used}
    return all(path in starved for path in order[start + 1 : end])


def _report_cut(
    model: nn.Module,
    log: OperationLog,
    order: list[str],
    positions: dict[str, int],
    run: list[StarvedModule],
    used: Sequence[StarvedModule],
) -> Finding:
    last = run[-1]
    starved = {name for item in used for name in item.names}
    where = _find_largest_starved(model, last.path, starved)
    following = order[positions[last.path] + 1 :]
    end = _first_tick(model, log, following[0]) if following else None
    cut = next((c for c in log.cuts if c.tick > (last.tick or 0) and (end is None or c.tick <= end)), None)
    parameters = dict(model.named_parameters())
    silent = any(id(parameters[name]) in log.used_without_gradient for name in last.names)
    # A cut inside the starved module, or outside of everything around it, is the more exact place.
    if cut is not None and cut.path and (_is_within(cut.path, where) or not _is_within(where, cut.path)):
        where = cut.path
    cause = f"{cut.operation}()" if cut is not None else "torch.no_grad()" if silent else "a cut in the graph"
    named = f"`{cause}` cuts the autograd graph" if cut is not None or silent else "the autograd graph is cut"
    names = [name for item in run for name in item.names]
    shown = last.path or last.names[-1]
    return claim_error(
        f"{CODE}-003",
        f"The outputs depend on `{shown}` ({_count(len(names), 'parameter')}), but no gradient reaches it: {named}.",
        where=where,
        evidence={
            "parameters": names[:_NAMES_SHOWN],
            "starved_parameters": len(names),
            "cause": cause,
            "cut_in": cut.path if cut is not None else "",
        },
        hint="After this module, remove `.detach()`, `.data`, `.item()`, `torch.no_grad()` or `torch.tensor(…)`, which "
        "cut the graph.",
        rests_on=Basis.INPUTS,
    )


def _first_tick(model: nn.Module, log: OperationLog, path: str) -> int:
    ticks = [
        log.used[id(p)]
        for n, p in model.named_parameters()
        if n.rpartition(".")[0] == path and id(p) in log.used
    ]
    return min(ticks)


def _find_largest_starved(model: nn.Module, path: str, starved: set[str]) -> str:
    """The outermost module around `path`, the root excepted, all of whose trainable parameters are starved."""
    trainable = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    best, parts = path, path.split(".")
    for length in range(len(parts) - 1, 0, -1):
        ancestor = ".".join(parts[:length])
        inside = [name for name in trainable if name.startswith(ancestor + ".")]
        if any(name not in starved for name in inside):
            break
        # Name the block rather than the list that holds it.
        if not isinstance(model.get_submodule(ancestor), nn.ModuleList | nn.ModuleDict):
            best = ancestor
    return best


def _is_within(path: str, ancestor: str) -> bool:
    return not ancestor or path == ancestor or path.startswith(ancestor + ".")


def _report_zeroed(
    model: nn.Module, used: Sequence[StarvedModule], zeroed: Sequence[StarvedModule]
) -> list[Finding]:
    """One finding for each outermost module that is multiplied by zero."""
    starved = {name for item in used for name in item.names}
    places: dict[str, list[str]] = {}
    for item in zeroed:
        places.setdefault(_find_largest_starved(model, item.path, starved), []).extend(item.names)
    return [
        claim_error(
            f"{CODE}-004",
            f"`{where}` has no effect: its gradient is exactly zero, and no value of its parameters changes an output.",
            where=where,
            evidence={"parameters": names[:_NAMES_SHOWN], "movement": 0.0},
            hint="Remove what multiplies its result by zero: a factor of 0, a mask that hides everything, or "
            "a zero scale.",
            rests_on=Basis.INPUTS,
        )
        for where, names in places.items()
    ]


def _blame_silent_module(context: CheckContext, call: Call, zeroed: list[Finding]) -> list[Finding]:
    """Report one finding instead if a module returns a constant, which is why others have no effect."""
    if not zeroed:
        return []
    silent = find_silent_module(context.subject, call, context.seed)
    if silent is None:
        return zeroed
    cut_off = [finding.where for finding in zeroed]
    named = ", ".join(f"`{path}`" for path in cut_off[:3]) + (" and more" if len(cut_off) > 3 else "")
    return [
        claim_error(
            f"{CODE}-004",
            f"`{silent}` returns the same vector for every position and row, so {named} cannot affect the output.",
            where=silent,
            evidence={"without_effect": cut_off[:_NAMES_SHOWN], "distinct_outputs": 1},
            hint="Look in this module for a mask that hides everything, a scale of zero or a dead activation.",
            rests_on=Basis.INPUTS,
        )
    ]


def _report_dead(item: StarvedModule) -> Finding:
    return Finding(
        f"{CODE}-005",
        Severity.WARNING,
        f"`{item.path}` does not learn: its gradient is exactly zero on every input tried.",
        where=item.path,
        evidence={"parameters": list(item.names)},
        hint="Reduce the scale or the bias of this module: the activation after it is saturated, or it is "
        "a ReLU whose inputs are all negative.",
    )


def _judge_unused(
    model: nn.Module,
    first: GradientPass,
    unused: Sequence[StarvedModule],
    without_effect: Sequence[StarvedModule],
) -> tuple[list[Finding], frozenset[str]]:
    """Judge what the forward does not touch (`unused`), or touches and throws away (`without_effect`).

    Also gives the parameters that the findings about slips list, which need no note of their own.
    """
    if not unused:
        slips = judge_unused_parameters(model, first, without_effect)
        return list(slips.findings), slips.listed
    findings, skipped = judge_skipped_layers(model, first.log, [item.path for item in unused])
    rest = [item for item in unused if not any(_is_within(item.path, path) for path in skipped)]
    slips = judge_unused_parameters(model, first, [*rest, *without_effect])
    findings += slips.findings
    rest = [item for item in rest if not slips.covered & set(item.names)]
    if rest:
        findings.append(_note(rest, "are not used by this forward pass"))
    return findings, slips.listed


def _note(items: Sequence[StarvedModule], reason: str) -> Finding:
    names = [name for item in items for name in item.names]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return Finding(
        f"{CODE}-007",
        Severity.INFO,
        f"Parameter(s) {', '.join(names[:3])}{more} {reason}.",
        where=items[0].path if len(items) == 1 else "",
        evidence={"parameters": names[:_NAMES_SHOWN], "count": len(names)},
        hint="Nothing to do if this is intended. Otherwise use these parameters in the forward pass, or remove them.",
    )


def _note_unjudged(items: Sequence[StarvedModule], why: str) -> Finding:
    return _note(items, f"get no gradient; the reason could not be determined, because {why}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
