"""Compare directional derivatives from backward with central differences of the forward.

This finds gradients that exist but are wrong: a detached residual, a scale left out of a hand-written
backward. The forward runs in float64 on substituted copies up to
`_FLOAT64_PARAMETERS`; larger models and those that insist on float32 are compared in float32 with a wider
tolerance. Kinks, jumps and rounding show as disagreement between steps, and then nothing is concluded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.checks.check import CheckContext
from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.call.substitution import convert_call, convert_tensors, run_substituted
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.library_class import is_library_class
from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.finite_difference import (
    FINER_STEPS_FLOAT64,
    STEPS_FLOAT32,
    STEPS_FLOAT64,
    DirectionalDerivative,
    compare_along_direction,
)
from tierproof.model.gradients.objective import compute_objective
from tierproof.model.observe.operation_log import OperationLog

CODE = "T1-GRAD"
# Copies in float64 of a larger model would outweigh a training step's memory.
_FLOAT64_PARAMETERS = 20_000_000
_FLOAT32_PARAMETERS = 200_000_000
# Each comparison replaces every tensor; and PyTorch overflows the stack when it frees a graph ten thousand
# layers deep whose leaves are all replaced.
_MOST_TENSORS = 8_000
# In float64 the two agree to 1e-8, with float32 islands inside to about 1e-4; a detached residual or branch
# of a block is off by 10 % and more.
_TOLERANCE_FLOAT64 = 5e-3
_TOLERANCE_FLOAT32 = 5e-2
# A mismatch counts only when the difference quotients agree among themselves this many times better.
_TRUST = 5.0
# Modules asked by themselves in one audit: each takes up to fourteen forward passes, and three times that again.
_MOST_PARTS = 24
_MOST_SPREAD = 1e6  # of a parameter: its largest value over its median
_GROUPS = 6
# In float64 the two agree to 1e-8, with float32 islands inside to 1e-4: only beyond is a stretch looked into.
_SUSPICION = 1e-4
# Norms of gradients in two dtypes agree by far better than this; those below the share of the largest do not count.
_SAME_NORM = 0.02
_COUNTING_SHARE = 1e-3
_DIRECTIONS = 3


@dataclass(frozen=True)
class _Arena:
    """A point at which derivatives are compared: where the forward runs and what backward says there."""

    context: CheckContext
    call: Call
    parameters: Mapping[str, Tensor]
    gradients: Mapping[str, Tensor | None]
    still_rows: Mapping[str, int]
    steps: tuple[float, ...]
    tolerance: float
    handwritten: tuple[str, ...]

    def evaluate(self, replaced: Mapping[str, Tensor]) -> float:
        """The objective with some parameters replaced."""
        torch.manual_seed(self.context.seed)
        subject = self.context.subject
        output = run_substituted(subject.model, {**self.parameters, **replaced}, self.call)
        return float(compute_objective_of_all(output, subject, self.context.seed))

    def compare(
        self,
        names: list[str],
        direction: int,
        *,
        steps: tuple[float, ...] | None = None,
        tolerance: float | None = None,
    ) -> DirectionalDerivative:
        """Compare along one direction; with steps of its own instead of the arena's and the finer ones."""
        return compare_along_direction(
            self.evaluate,
            self.parameters,
            self.gradients,
            names,
            still_rows=self.still_rows,
            seed=self.context.seed + direction,
            steps=steps or self.steps,
            finer_steps=FINER_STEPS_FLOAT64 if steps is None and self.steps is STEPS_FLOAT64 else (),
            tolerance=tolerance or self.tolerance,
        )

    def is_suspect(self, names: list[str], result: DirectionalDerivative) -> bool:
        """Whether something small may be wrong among these: the two do not agree as closely as exact ones do.

        Rectifiers whose kink lies within the step look the same and fade with it; what is wrong stays.
        """
        if self.tolerance != _TOLERANCE_FLOAT64:
            return result.mismatch > self.tolerance
        if result.mismatch <= _SUSPICION:
            return False
        nearer = self.compare(names, 0, steps=FINER_STEPS_FLOAT64, tolerance=_SUSPICION)
        return nearer.mismatch > _SUSPICION

    def disagrees(self, names: list[str]) -> DirectionalDerivative | None:
        """The largest mismatch when most directions show a trustworthy one, else None.

        A single direction may miss what is wrong by being at right angles to it.
        """
        results = [self.compare(names, direction) for direction in range(1, _DIRECTIONS + 1)]
        wrong = [r for r in results if r.mismatch > max(self.tolerance, r.spread * _TRUST)]
        return max(wrong, key=lambda r: r.mismatch) if len(wrong) > _DIRECTIONS // 2 else None


def compute_objective_of_all(output: object, subject: Subject, seed: int) -> Tensor:
    """The objective of an output computed without gradients: all floating answers count."""
    return compute_objective(output, subject, seed).detach()


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
    arena = _prepare_arena(context, call, norms)
    # Parameters of complex numbers are not among those of the arena, and not compared.
    known = order if isinstance(arena, str) else _list_comparable(arena.parameters)
    names = [name for name in order if name not in excluded | altered and name in known]
    if isinstance(arena, str) or not names:
        return [], {"finite_difference": arena if isinstance(arena, str) else "nothing to compare"}
    if arena.evaluate({}) != arena.evaluate({}):
        return [], {"finite_difference": "skipped: the forward is not repeatable"}
    groups = _cut_into_groups(arena, names)
    worst, left = 0.0, _MOST_PARTS
    guilty: list[str] = []
    result: DirectionalDerivative | None = None
    # A cut makes everything before it wrong, so the last wrong group holds it and the rest need not be asked.
    for group in reversed(groups):
        if context.deadline.expired or result is not None:
            break
        first = arena.compare(group, 0)
        if first.spread * _TRUST > first.mismatch:
            continue  # the steps disagree among themselves: nothing can be concluded here
        worst = max(worst, first.mismatch)
        parts = _cut_into_modules(group)[: 1 + left] if arena.is_suspect(group, first) else []
        left -= max(len(parts) - 1, 0)
        for part in parts:
            met = first if part is group else arena.compare(part, 0)
            result = arena.disagrees(part) if met.mismatch > arena.tolerance else None
            if result is not None:
                guilty = part
                break
    measured: dict[str, JsonValue] = {
        "finite_difference": "float64" if arena.tolerance == _TOLERANCE_FLOAT64 else "float32",
        "largest_relative_mismatch": worst,
    }
    if result is None:
        return [], measured
    if _is_truncated(context.subject.model, guilty, log):
        return [_note_truncated(result, guilty)], measured
    last = _find_last_wrong(arena, guilty)
    return [_report(arena, result, last, order, log)], measured


def _list_comparable(parameters: Mapping[str, Tensor]) -> list[str]:
    """Those that one step fits; not a table that was never initialised, where it leaves the range of most values."""
    return [name for name, parameter in parameters.items() if not _has_no_scale(parameter)]


def _has_no_scale(parameter: Tensor) -> bool:
    if parameter.layout is not torch.strided or not parameter.is_floating_point() or not parameter.numel():
        return False
    size = parameter.detach().abs()
    return bool(size.max() > _MOST_SPREAD * size.median().clamp(min=1.0))


def _cut_into_groups(arena: _Arena, names: list[str]) -> list[list[str]]:
    """Stretches of neighbours in order of use."""
    length = -(-len(names) // (_GROUPS if arena.tolerance == _TOLERANCE_FLOAT64 else 2))
    return [names[start : start + length] for start in range(0, len(names), length)]


def _cut_into_modules(group: list[str]) -> list[list[str]]:
    """The whole, then each module of it by itself, the last first: a small wrong one drowns among its neighbours."""
    owners: dict[str, list[str]] = {}
    for name in group:
        owners.setdefault(name.rpartition(".")[0], []).append(name)
    return [group, *reversed(owners.values())] if len(owners) > 1 else [group]


def _prepare_arena(context: CheckContext, call: Call, norms: Mapping[str, float | None]) -> _Arena | str:
    """The arena, in float64 where the model allows it, or why there is none."""
    model = context.subject.model
    size = sum(parameter.numel() for parameter in model.parameters())
    if (count := sum(1 for _ in model.parameters())) > _MOST_TENSORS:
        return f"skipped: {count:,} parameter tensors are more than {_MOST_TENSORS:,}"
    if size <= _FLOAT64_PARAMETERS:
        try:
            arena = _build_arena(context, convert_call(call, torch.float64), torch.float64)
            if _is_faithful(arena, norms):
                return arena
        except Exception:  # noqa: BLE001 - it mixes dtypes by hand, or asserts its own: float32 it is
            pass
    if size > _FLOAT32_PARAMETERS:
        return f"skipped: more than {_FLOAT32_PARAMETERS:,} parameters"
    if any(p.dtype in (torch.float16, torch.bfloat16) for p in model.parameters()):
        return "skipped: parameters in half precision"
    try:
        return _build_arena(context, call, torch.float32)
    except Exception as error:  # noqa: BLE001 - measured: such a model cannot be run on other values
        return f"skipped: the forward pass raised {type(error).__name__} with substituted parameters"


def _is_faithful(arena: _Arena, norms: Mapping[str, float | None]) -> bool:
    """Whether backward in float64 gives the gradients of the model's own dtype.

    Some kernels differentiate a mixture of dtypes wrongly: fused attention in float64 under a float32 mask.
    """
    largest = max((norm for norm in norms.values() if norm is not None), default=0.0)
    for name, norm in norms.items():
        gradient = arena.gradients.get(name)
        if norm is None or gradient is None or norm < _COUNTING_SHARE * largest or gradient.is_sparse:
            continue
        if abs(float(torch.linalg.vector_norm(gradient)) / norm - 1) > _SAME_NORM:
            return False
    return True


def _build_arena(context: CheckContext, call: Call, dtype: torch.dtype) -> _Arena:
    subject = context.subject
    tensors = convert_tensors(subject.model, dtype)
    trainable = {name: tensor for name, tensor in tensors.items() if tensor.requires_grad}
    torch.manual_seed(context.seed)
    with torch.enable_grad():
        objective = compute_objective(run_substituted(subject.model, tensors, call), subject, context.seed)
    if not objective.requires_grad:
        raise ValueError("the objective has no gradient")
    handwritten = _find_handwritten_backwards(objective)
    found = torch.autograd.grad(objective, list(trainable.values()), allow_unused=True)
    double = dtype is torch.float64
    return _Arena(
        context=context,
        call=call,
        parameters={name: tensor.detach() for name, tensor in tensors.items()},
        gradients=dict(zip(trainable, found, strict=True)),
        still_rows=_find_padding_rows(subject.model),
        steps=STEPS_FLOAT64 if double else STEPS_FLOAT32,
        tolerance=_TOLERANCE_FLOAT64 if double else _TOLERANCE_FLOAT32,
        handwritten=handwritten,
    )


def _find_handwritten_backwards(objective: Tensor) -> tuple[str, ...]:
    """Names of the subclasses of `torch.autograd.Function` in the graph."""
    names: dict[str, None] = {}
    seen: set[Any] = set()
    waiting: list[Any] = [objective.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if isinstance(node, torch.autograd.function.BackwardCFunction):
            names[type(node).__name__.removesuffix("Backward")] = None
        waiting += [following for following, _ in node.next_functions]
    return tuple(names)


def _find_padding_rows(model: nn.Module) -> dict[str, int]:
    """Rows of embedding tables that get no gradient by request: those of `padding_idx`."""
    return {
        f"{path}.weight" if path else "weight": module.padding_idx
        for path, module in model.named_modules()
        if isinstance(module, nn.Embedding | nn.EmbeddingBag) and module.padding_idx is not None
    }


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
        "Some modules run several times, but only their last runs record gradients: backward is truncated.",
        where=names[-1].rpartition(".")[0],
        evidence={"relative_mismatch": result.mismatch},
        hint="Remove `torch.no_grad()` around the earlier runs. Nothing to do if truncated backpropagation "
        "is intended.",
    )


def _find_last_wrong(arena: _Arena, group: list[str]) -> str:
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
    arena: _Arena, result: DirectionalDerivative, last: str, order: list[str], log: OperationLog
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
        hint="Remove `.detach()` from the residual or the other path, or correct the hand-written backward.",
        rests_on=Basis.INPUTS,
        at_most=Severity.INFO if published else Severity.ERROR,
    )


def _report_handwritten(
    result: DirectionalDerivative, last: str, where: str, functions: tuple[str, ...]
) -> Finding:
    return Finding(
        f"{CODE}-008",
        Severity.WARNING,
        f"For the parameters of `{last.rpartition('.')[0]}` and of the layers before it, backward differs from "
        f"finite differences by {result.mismatch:.0%}. The model has hand-written backwards "
        f"({', '.join(functions[:3])}).",
        where=where,
        evidence={
            "relative_mismatch": result.mismatch,
            "derivative_by_backward": result.analytic,
            "derivative_by_differences": result.numeric,
            "last_wrong_parameter": last,
            "autograd_functions": list(functions),
        },
        hint="Test them with `torch.autograd.gradcheck`. Nothing to do if a surrogate gradient is intended.",
    )
