"""The point at which derivatives are compared: copies of the parameters, where the forward runs on them, and what
backward says there.

The copies are in float64 up to `_FLOAT64_PARAMETERS`; larger and costlier models, and those that insist on float32, are
compared in float32, with a wider tolerance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.checks.check import CheckContext
from tierproof.model.call.call import Call
from tierproof.model.call.substitution import convert_call, convert_tensors, run_substituted
from tierproof.model.compare.short_call import find_short_length
from tierproof.model.costs.flops import count_flops
from tierproof.model.gradients.finite_difference import (
    FINER_STEPS_FLOAT64,
    STEPS_FLOAT32,
    STEPS_FLOAT64,
    DirectionalDerivative,
    compare_along_direction,
)
from tierproof.model.gradients.objective import compute_objective, find_differentiable

# Copies in float64 of a larger model would outweigh a training step's memory.
_FLOAT64_PARAMETERS = 20_000_000
# Operations of one forward pass: beyond, a comparison in float64 would take longer than all other checks together.
_FLOAT64_CONVOLVED_FLOPS = 100_000_000
_FLOAT64_FLOPS = 4_000_000_000
_FLOAT32_PARAMETERS = 200_000_000
# Each comparison replaces every tensor; and PyTorch overflows the stack when it frees a graph ten thousand
# layers deep whose leaves are all replaced.
_MOST_TENSORS = 8_000
# In float64 the two agree to 1e-8, with float32 islands inside to about 1e-4; a detached residual or branch
# of a block is off by 10 % and more.
_TOLERANCE_FLOAT64 = 5e-3
_TOLERANCE_FLOAT32 = 5e-2
# A mismatch counts only when the difference quotients agree among themselves this many times better.
TRUST = 5.0
# In float64 the two agree to 1e-8, with float32 islands inside to 1e-4: only beyond is a stretch looked into.
_SUSPICION = 1e-4
# Norms of gradients in two dtypes agree by far better than this; those below the share of the largest do not count.
_SAME_NORM = 0.02
_COUNTING_SHARE = 1e-3
_DIRECTIONS = 3


@dataclass(frozen=True)
class Arena:
    """A point at which derivatives are compared: where the forward runs and what backward says there.

    Attributes:
        handwritten: names of the subclasses of `torch.autograd.Function` in the graph.
        paths: of the answers that carry gradients; only they count.
    """

    context: CheckContext
    call: Call
    parameters: Mapping[str, Tensor]
    gradients: Mapping[str, Tensor | None]
    still_rows: Mapping[str, int]
    steps: tuple[float, ...]
    tolerance: float
    handwritten: tuple[str, ...]
    paths: frozenset[str]

    def evaluate(self, replaced: Mapping[str, Tensor]) -> float:
        """The objective with some parameters replaced."""
        torch.manual_seed(self.context.seed)
        subject = self.context.subject
        output = run_substituted(subject.model, {**self.parameters, **replaced}, self.call)
        return float(compute_objective(output, subject, self.context.seed, paths=self.paths).detach())

    @property
    def norms(self) -> dict[str, float | None]:
        """Of the gradients."""
        return {
            name: None if gradient is None else float(torch.linalg.vector_norm(gradient.to_dense()))
            for name, gradient in self.gradients.items()
        }

    @property
    def in_float64(self) -> bool:
        """Whether the comparison is exact to many digits."""
        return self.tolerance == _TOLERANCE_FLOAT64

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
        if not self.in_float64:
            return result.mismatch > self.tolerance
        if result.mismatch <= _SUSPICION:
            return False
        nearer = self.compare(names, 0, steps=FINER_STEPS_FLOAT64, tolerance=_SUSPICION)
        return nearer.mismatch > _SUSPICION

    def disagrees(
        self, names: list[str], *, first: DirectionalDerivative | None = None
    ) -> DirectionalDerivative | None:
        """The largest mismatch when most directions show a trustworthy one, else None.

        A single direction may miss what is wrong by being at right angles to it.

        Args:
            first: along direction 0, where that was compared: when it cannot be trusted, and neither can the next, the
                others are not asked.
        """
        wrong: list[DirectionalDerivative] = []
        doubts = int(first is not None and not self._is_wrong(first))
        for direction in range(1, _DIRECTIONS + 1):
            result = self.compare(names, direction)
            if self._is_wrong(result):
                wrong.append(result)
            elif (doubts := doubts + 1) > _DIRECTIONS // 2:
                return None
        return max(wrong, key=lambda r: r.mismatch)

    def _is_wrong(self, result: DirectionalDerivative) -> bool:
        return result.mismatch > max(self.tolerance, result.spread * TRUST)


def prepare_arena(
    context: CheckContext, call: Call, norms: Mapping[str, float | None], *, at_any_cost: bool = False
) -> Arena | str:
    """The arena, in float64 where the model allows it and the cost is fair, or why there is none."""
    model = context.subject.model
    size = sum(parameter.numel() for parameter in model.parameters())
    if (count := sum(1 for _ in model.parameters())) > _MOST_TENSORS:
        return f"skipped: the model has {count:,} parameter tensors, more than {_MOST_TENSORS:,}"
    if size <= _FLOAT64_PARAMETERS and (at_any_cost or _is_cheap(model, call)):
        try:
            arena = _build_arena(context, convert_call(call, torch.float64), torch.float64)
            if _is_faithful(arena, norms):
                return arena
        except Exception:  # noqa: BLE001 - it mixes dtypes by hand, or asserts its own: float32 it is
            pass
    if size > _FLOAT32_PARAMETERS:
        return f"skipped: more than {_FLOAT32_PARAMETERS:,} parameters"
    if any(p.dtype in (torch.float16, torch.bfloat16) for p in model.parameters()):
        return "skipped: parameters are in half precision"
    for tried in (_shorten(context, call), call):
        try:
            return _build_arena(context, tried, torch.float32)
        except Exception as error:  # noqa: BLE001 - measured: such a model cannot be run on other values
            reason = (
                f"skipped: the forward pass raised {type(error).__name__} with other values of the parameters"
            )
    return reason


def _shorten(context: CheckContext, call: Call) -> Call:
    """The call at a short length, if it has one: what a costly model computes wrongly shows there as well."""
    length = find_short_length(context.subject.inputs)
    if length is None:
        return call
    return context.subject.make_call(length=length, target_length=length, seed=context.seed)


def _is_cheap(model: nn.Module, call: Call) -> bool:
    """Whether some fifty forward passes in float64 cost seconds: convolutions are a dozen times slower in it."""
    with torch.no_grad():
        counted = count_flops(model, lambda: call.run(model))
    convolved = sum(flops for name, flops in counted.by_operator.items() if "conv" in name)
    return convolved <= _FLOAT64_CONVOLVED_FLOPS and counted.total <= _FLOAT64_FLOPS


def _is_faithful(arena: Arena, norms: Mapping[str, float | None]) -> bool:
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


def _build_arena(context: CheckContext, call: Call, dtype: torch.dtype) -> Arena:
    subject = context.subject
    tensors = convert_tensors(subject.model, dtype)
    trainable = {name: tensor for name, tensor in tensors.items() if tensor.requires_grad}
    torch.manual_seed(context.seed)
    with torch.enable_grad():
        output = run_substituted(subject.model, tensors, call)
        objective = compute_objective(output, subject, context.seed)
    if not objective.requires_grad:
        raise ValueError("the objective has no gradient")
    handwritten = _find_handwritten_backwards(objective)
    found = torch.autograd.grad(objective, list(trainable.values()), allow_unused=True)
    double = dtype is torch.float64
    return Arena(
        context=context,
        call=call,
        parameters={name: tensor.detach() for name, tensor in tensors.items()},
        gradients=dict(zip(trainable, found, strict=True)),
        still_rows=_find_padding_rows(subject.model),
        steps=STEPS_FLOAT64 if double else STEPS_FLOAT32,
        tolerance=_TOLERANCE_FLOAT64 if double else _TOLERANCE_FLOAT32,
        handwritten=handwritten,
        paths=find_differentiable(output),
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
