"""The target's score as a function of points between the baseline and the input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.analysis.attribution.attribution_target import AttributionTarget
from tierproof.analysis.attribution.example_rows import ExampleRow, find_batch_axis, widen_call
from tierproof.analysis.attribution.lookup_swap import LookupSwap
from tierproof.analysis.attribution.path_input import PathInput
from tierproof.model.call.call import Call
from tierproof.model.describe.subject import Subject

Points = tuple[Tensor, ...]
# Rows in one pass and alone agree up to rounding, as a share of the way from the baseline's score to the input's.
_SAME = 1e-3


class ScoredModel:
    """Runs the model at points of the inputs of one example.

    Args:
        subject: the model and how to call it.
        row: of the example.
        inputs: what moves.
        seed: set before each pass, so that a model which draws at random draws the same.

    Attributes:
        together: whether several points can go through the model as rows of one pass.
    """

    def __init__(self, subject: Subject, row: ExampleRow, inputs: Sequence[PathInput], seed: int) -> None:
        self.subject, self.row, self.inputs, self._seed = subject, row, tuple(inputs), seed
        self.together = False
        self._target: AttributionTarget | None = None

    @property
    def ends(self) -> tuple[Points, Points]:
        """The input and the baseline as one point each, [1, …]."""
        return (
            tuple(each.value[None] for each in self.inputs),
            tuple(each.baseline[None] for each in self.inputs),
        )

    def aim(self, target: AttributionTarget) -> None:
        """Choose the score, and find out whether rows of one pass leave each other alone."""
        self._target = target
        self.together = self._can_stand_together()

    def score(self, points: Points) -> Tensor:
        """The scores of points, [points, …] for each input in order; [points]."""
        assert self._target is not None
        groups = (
            [points] if self.together else list(zip(*(torch.split(each, 1) for each in points), strict=True))
        )
        scores = [self._target.read(self.answer(group)).reshape(-1) for group in groups]
        # An input that the answer does not depend on has a gradient of zero, and not none at all.
        nothing = sum(each.reshape(len(each), -1).sum(1) * 0.0 for each in points if each.is_floating_point())
        return torch.cat(scores) + nothing

    def answer(self, points: Points) -> Tensor:
        """The model's answers at points, batch first."""
        count = len(points[0]) if points else 1
        call = widen_call(self.subject, self.row.call, count)
        values: dict[str, Any] = {
            name: value.clone() if isinstance(value, Tensor) else value
            for name, value in call.arguments.items()
        }
        swaps: dict[tuple[str, int], Tensor] = {}
        for each, point in zip(self.inputs, points, strict=True):
            rows = point[0] if each.batch_axis is None else torch.cat(point.unbind(0), dim=each.batch_axis)
            if each.order is None:
                values[each.argument.name] = rows
            else:
                swaps[each.argument.name, each.order] = rows
        torch.manual_seed(self._seed)
        return self._select(self._run(call, values, swaps))

    def _run(self, call: Call, values: dict[str, Any], swaps: dict[tuple[str, int], Tensor]) -> Any:
        if not swaps:
            return call.run_on(self.subject.model, values)
        watched = {
            each.argument.name: values[each.argument.name] for each in self.inputs if each.order is not None
        }
        with LookupSwap(watched, swaps):
            return call.run_on(self.subject.model, values)

    def _select(self, output: Any) -> Tensor:
        answer = self.subject.outputs.select(output)
        axis = self.subject.outputs.batch_axis
        if axis is None:
            return answer[None]
        return answer.movedim(axis, 0)

    def _can_stand_together(self) -> bool:
        planned = {argument.name for argument in self.subject.inputs.arguments}
        alone = any(each.batch_axis is None for each in self.inputs)
        if alone or self.subject.outputs.batch_axis is None or set(self.row.call.tensors) - planned:
            return False
        if all(find_batch_axis(argument) is None for argument in self.subject.inputs.arguments):
            return False
        at_input, at_baseline = self.ends
        mixed = tuple(torch.cat([b, a, b]) for a, b in zip(at_input, at_baseline, strict=True))
        with torch.no_grad():
            apart = self.score(mixed)
            self.together = True
            try:
                side_by_side = self.score(mixed)
            except Exception:  # noqa: BLE001 - another batch is refused, so the points go one by one
                return False
            finally:
                self.together = False
        if side_by_side.shape != apart.shape:
            return False
        scale = float((apart[1] - apart[0]).abs()) + 1e-5 * float(apart.abs().max())
        return float((side_by_side - apart).abs().max()) <= _SAME * scale


@contextmanager
def without_weight_gradients(model: nn.Module) -> Iterator[None]:
    """Inside the `with`, no parameter asks for a gradient: only what lies on the way to the inputs is kept."""
    asked = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        for parameter in asked:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in asked:
            parameter.requires_grad_(True)
