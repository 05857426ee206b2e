"""Compare directional derivatives from backward with central differences of the forward.

This finds gradients that exist but are wrong: a detached residual, a scale left out of a hand-written backward.
Kinks, jumps and rounding show as disagreement between steps, and then nothing is concluded.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tierproof.checks.check import CheckContext
from tierproof.checks.claim import claim_error
from tierproof.checks.tier1.gradient_flow.gradient_arena import TRUST, Arena, prepare_arena
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.library_class import is_library_class
from tierproof.model.gradients.finite_difference import DirectionalDerivative
from tierproof.model.gradients.straight_through import find_straight_through
from tierproof.model.observe.operation_log import OperationLog

CODE = "T1-GRAD"
# Modules asked by themselves in one audit: each takes up to fourteen forward passes, and three times that again.
_MOST_PARTS = 24
_MOST_SPREAD = 1e6  # of a parameter: its largest value over its median
_GROUPS = 6


def compare_gradients(
    context: CheckContext,
    call: Call,
    order: list[str],
    log: OperationLog,
    excluded: frozenset[str],
    norms: Mapping[str, float | None],
) -> tuple[list[Finding], dict[str, JsonValue]]:
    """Compare backward with finite differences over groups of modules in execution order.

    Args:
        call: the input; the model is in evaluation mode.
        order: names of the parameters in order of first use.
        log: names where gradients were cut, if they were.
        excluded: parameters that a finding already speaks of.
        norms: of the gradients in the model's own dtype.
    """
    altered = _find_altered_gradients(context.subject.model)
    arena = prepare_arena(context, call, norms)
    # Parameters of complex numbers are not among those of the arena, and not compared.
    known = order if isinstance(arena, str) else _list_comparable(arena.parameters)
    names = [name for name in order if name not in excluded | altered and name in known]
    if isinstance(arena, str) or not names:
        return [], {"finite_difference": arena if isinstance(arena, str) else "nothing to compare"}
    guilty, result, worst = _find_disagreement(arena, names)
    if result is not None and arena.evaluate({}) != arena.evaluate({}):
        return [], {"finite_difference": "skipped: the forward is not repeatable"}
    measured: dict[str, JsonValue] = {
        "finite_difference": "float64" if arena.in_float64 else "float32",
        "largest_relative_mismatch": worst,
    }
    if result is not None and not arena.in_float64:
        arena, result = _confirm(arena, guilty, result)
    if result is None:
        return [], measured
    if _is_truncated(context.subject.model, guilty, log):
        return [_note_truncated(result, guilty)], measured
    last = _find_last_wrong(arena, guilty)
    return [_report(arena, result, last, order, log)], measured


def _find_disagreement(
    arena: Arena, names: list[str]
) -> tuple[list[str], DirectionalDerivative | None, float]:
    """The last stretch whose derivatives disagree, how they do (None: they agree), and the largest mismatch seen."""
    worst, left = 0.0, _MOST_PARTS
    # A cut makes everything before it wrong, so the last wrong group holds it and the rest need not be asked.
    for group in reversed(_cut_into_groups(arena, names)):
        if arena.context.deadline.expired:
            break
        first = arena.compare(group, 0)
        if first.spread * TRUST > first.mismatch:
            continue  # the steps disagree among themselves: nothing can be concluded here
        worst = max(worst, first.mismatch)
        parts = _cut_into_modules(group)[: 1 + left] if arena.is_suspect(group, first) else []
        left -= max(len(parts) - 1, 0)
        for part in parts:
            met = first if part is group else arena.compare(part, 0)
            result = arena.disagrees(part, first=met) if met.mismatch > arena.tolerance else None
            if result is not None:
                return part, result, worst
    return [], None, worst


def _confirm(
    arena: Arena, guilty: list[str], result: DirectionalDerivative
) -> tuple[Arena, DirectionalDerivative | None]:
    """Ask again in float64 what float32 shows, where the cost alone spoke against it: steps in float32 are wide."""
    exact = prepare_arena(arena.context, arena.call, arena.norms, at_any_cost=True)
    if isinstance(exact, str) or not exact.in_float64:
        return arena, result
    return exact, exact.disagrees(guilty)


def _list_comparable(parameters: Mapping[str, Tensor]) -> list[str]:
    """Those that one step fits; not a table that was never initialised, where it leaves the range of most values."""
    return [name for name, parameter in parameters.items() if not _has_no_scale(parameter)]


def _has_no_scale(parameter: Tensor) -> bool:
    if parameter.layout is not torch.strided or not parameter.is_floating_point() or not parameter.numel():
        return False
    size = parameter.detach().abs()
    # The median of a large table takes longer than a forward pass: it is asked only where it can matter.
    return bool(size.max() > _MOST_SPREAD) and bool(size.max() > _MOST_SPREAD * size.median())


def _cut_into_groups(arena: Arena, names: list[str]) -> list[list[str]]:
    """Stretches of neighbours in order of use."""
    length = -(-len(names) // (_GROUPS if arena.in_float64 else 2))
    return [names[start : start + length] for start in range(0, len(names), length)]


def _cut_into_modules(group: list[str]) -> list[list[str]]:
    """The whole, then each module of it by itself, the last first: a small wrong one drowns among its neighbours."""
    owners: dict[str, list[str]] = {}
    for name in group:
        owners.setdefault(name.rpartition(".")[0], []).append(name)
    return [group, *reversed(owners.values())] if len(owners) > 1 else [group]


def _find_altered_gradients(model: nn.Module) -> frozenset[str]:
    """Parameters whose gradient is changed by request: by frequency, by renormalisation or by a hook."""
    names = {
        f"{path}.weight" if path else "weight"
        for path, module in model.named_modules()
        if isinstance(module, nn.Embedding) and (module.scale_grad_by_freq or module.max_norm is not None)
    }
    names |= {name for name, parameter in model.named_parameters() if parameter._backward_hooks}
    return frozenset(names)


def _is_truncated(model: nn.Module, names: list[str], log: OperationLog) -> bool:
    """Whether the parameters were used with and without gradients: a recurrence cut on purpose."""
    parameters = dict(model.named_parameters())
    return any(id(parameters[name]) in log.used_without_gradient for name in names)


def _note_truncated(result: DirectionalDerivative, names: list[str]) -> Finding:
    return Finding(
        f"{CODE}-013",
        Severity.INFO,
        "Some modules run several times in one forward pass, but only their last runs record gradients: the gradient "
        "lacks the earlier runs.",
        where=names[-1].rpartition(".")[0],
        evidence={"relative_mismatch": result.mismatch},
        hint="Remove `torch.no_grad()` around the earlier runs. Nothing to do if truncated backpropagation "
        "is intended.",
    )


def _find_straight_through(arena: Arena) -> set[str]:
    subject, call = arena.context.subject, arena.context.subject.make_call(seed=arena.context.seed)
    return find_straight_through(subject.model, lambda: subject.forward(call))


def _note_straight_through(result: DirectionalDerivative, where: str) -> Finding:
    return Finding(
        f"{CODE}-008",
        Severity.INFO,
        f"`{where}` contains a straight-through estimator: on purpose, its gradient is not the derivative of the "
        "forward pass.",
        where=where,
        evidence={"relative_mismatch": result.mismatch},
        hint="Nothing to do: `x + (q - x).detach()` is written to pass the gradient through the quantiser unchanged.",
    )


def _find_last_wrong(arena: Arena, group: list[str]) -> str:
    """Bisect for the last parameter, in order of use, whose derivative is wrong.

    All that lies before a cut is wrong and all behind it is right, so halves can be judged by their ends.
    """
    low, high = 0, len(group)
    while high - low > 1:
        middle = (low + high) // 2
        if arena.disagrees(group[middle:high]) is not None:
            low = middle
        else:
            high = middle
    return group[low]


def _report(
    arena: Arena, result: DirectionalDerivative, last: str, order: list[str], log: OperationLog
) -> Finding:
    parameters = dict(arena.context.subject.model.named_parameters())
    owner = last.rpartition(".")[0]
    start = log.used.get(id(parameters[last]), 0)
    behind = [n for n in order[order.index(last) + 1 :] if n.rpartition(".")[0] != owner]
    end = log.used.get(id(parameters[behind[0]])) if behind else None
    cut = next((c for c in log.cuts if c.tick > start and (end is None or c.tick <= end)), None)
    cut = cut or next((c for c in log.cuts if c.tick > start), None)
    where = cut.path if cut is not None else (behind[0].rpartition(".")[0] if behind else owner)
    # Surrogates (YOSO's, straight-through) are meant to differ, and only the author knows: no exact invariant.
    surrogate = arena.handwritten if cut is None else ()
    if surrogate:
        return _report_handwritten(result, last, where, surrogate)
    if cut is not None and cut.path in _find_straight_through(arena):
        return _note_straight_through(result, cut.path)
    cause = (
        f"`{cut.operation}()` in `{cut.path}`" if cut is not None else f"An operation right after `{owner}`"
    )
    # transformers cuts where a publication does: box refinement in the DETR family detaches its references.
    published = cut is not None and is_library_class(arena.context.subject.model, cut.path)
    return claim_error(
        f"{CODE}-008",
        f"The gradients are wrong: for the parameters of `{owner}` and of the layers before it, backward differs "
        f"from finite differences by {result.mismatch:.0%}. {cause} drops a part of the gradient.",
        where=where,
        evidence={
            "relative_mismatch": result.mismatch,
            "derivative_by_backward": result.analytic,
            "derivative_by_differences": result.numeric,
            "last_wrong_parameter": last,
        },
        hint="Remove `.detach()` from the residual connection or the branch beside it, or correct the hand-written "
        "backward.",
        rests_on=Basis.INPUTS,
        at_most=Severity.INFO if published else Severity.ERROR,
    )


def _report_handwritten(
    result: DirectionalDerivative, last: str, where: str, functions: tuple[str, ...]
) -> Finding:
    return Finding(
        f"{CODE}-008",
        Severity.WARNING,
        f"In `{last.rpartition('.')[0]}` and the layers before it, gradients differ from finite differences by "
        f"{result.mismatch:.0%}. The cause is probably a hand-written backward of this model: "
        f"{', '.join(functions[:3])}.",
        where=where,
        evidence={
            "relative_mismatch": result.mismatch,
            "derivative_by_backward": result.analytic,
            "derivative_by_differences": result.numeric,
            "last_wrong_parameter": last,
            "autograd_functions": list(functions),
        },
        hint="Test these backwards with `torch.autograd.gradcheck`. Nothing to do if a surrogate gradient is intended.",
    )
