"""Run a model so that answers can be compared: evaluation mode, no gradients, the same seed for every run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from tierproof.model.call.call import Call
from tierproof.model.call.outputs import iterate_tensors
from tierproof.model.call.substitution import convert_call, convert_tensors, fill_zeros, run_substituted
from tierproof.model.compare.comparison import find_tolerance, measure_change
from tierproof.model.describe.subject import Subject

# Distinct from the usual widths and head counts, so that a tensor's axis of this size is the length.
SHORT_LENGTH = 11
# Where rounding takes up more of the spread than this, float32 leaves no answer to speak of.
_LARGEST_ROUNDING = 0.1


class SteadyAnswers:
    """Runs a model in evaluation mode, without gradients, from the same seed every time.

    Args:
        stand_ins: tensors to run with in place of the model's own, by name (see `fill_zeros`).
    """

    def __init__(self, subject: Subject, seed: int, stand_ins: Mapping[str, Tensor] | None = None) -> None:
        self.subject, self.seed = subject, seed
        self.stand_ins = dict(stand_ins or {})

    def __call__(self, call: Call, *, seed: int | None = None) -> Tensor:
        """The answer to `call`, as a copy."""
        return self.subject.outputs.select(self.forward(call, seed=seed)).clone()

    def forward(self, call: Call, *, seed: int | None = None) -> Any:
        """Everything the model returns for `call`."""
        self.subject.model.eval()
        torch.manual_seed(self.seed if seed is None else seed)
        with torch.no_grad():
            if self.stand_ins:
                return run_substituted(self.subject.model, self.stand_ins, call)
            return call.run(self.subject.model)

    def tensors(self, call: Call, *, seed: int | None = None) -> dict[str, Tensor]:
        """All floating and complex tensors of the output, as copies, by path."""
        found = iterate_tensors(self.forward(call, seed=seed))
        return {path: t.clone() for path, t in found if t.is_floating_point() or t.is_complex()}

    def attempt(self, call: Call) -> Tensor | None:
        """The answer, or None if the model raises on the call (T1-SHAPE reports that)."""
        try:
            return self(call)
        except Exception:  # noqa: BLE001 - a size the model refuses is a finding of T1-SHAPE, not of the caller
            return None

    def with_zeros_filled(self) -> SteadyAnswers:
        """The same with random values for parameters that are entirely zero (closed gates, zero heads)."""
        return SteadyAnswers(self.subject, self.seed, fill_zeros(self.subject.model, self.seed, scale=0.1))


class DoubleAnswers(SteadyAnswers):
    """The same answers in float64, where a remaining difference is not float32 rounding."""

    def __init__(self, answers: SteadyAnswers) -> None:
        model = answers.subject.model
        wide = {name: tensor.double() for name, tensor in answers.stand_ins.items()}
        super().__init__(answers.subject, answers.seed, {**convert_tensors(model, torch.float64), **wide})

    def forward(self, call: Call, *, seed: int | None = None) -> Any:
        """Everything the model returns for `call`, with its floating-point inputs in float64."""
        return super().forward(convert_call(call, torch.float64), seed=seed)


@dataclass(frozen=True)
class Baseline:
    """A call that works, with its answer and sizes."""

    answers: SteadyAnswers
    call: Call
    answer: Tensor
    batch: int
    length: int
    target_length: int

    @property
    def tolerance(self) -> float:
        """The relative change of the answer below which answers count as equal."""
        return find_tolerance(self.answer)

    def in_double(self) -> Baseline | None:
        """The same baseline in float64; None if the model raises or answers in another dtype."""
        answers = DoubleAnswers(self.answers)
        answer = answers.attempt(self.call)
        if answer is None or answer.dtype != torch.float64:
            return None
        return replace(self, answers=answers, answer=answer)

    def exceeds(self, change: float, tolerance: float, measure: Callable[[Baseline], float]) -> bool:
        """Whether a change exceeds the tolerance and is not just float32 rounding.

        If a model's answers hardly differ (many narrow layers with random parameters), the last bits of float32 are
        large relative to their spread. In float64 that rounding vanishes, and a real difference remains.

        Args:
            measure: measures the same change on another baseline.
        """
        if change <= tolerance or self.answer.dtype != torch.float32 or change > _LARGEST_ROUNDING:
            return change > tolerance
        wide = self.in_double()
        return wide is None or measure(wide) > tolerance / 10


def find_baseline(
    subject: Subject, seed: int, *, batch: int, length: int = SHORT_LENGTH, seeded: bool = False
) -> Baseline | str:
    """Find a short call that works and whose answer can be compared.

    The model is left in evaluation mode. The result is computed once and shared by all checks.

    Args:
        seeded: also take a model that draws random numbers in evaluation mode, if equal seeds give equal answers.
            Its answers compare only where all tensors keep their shapes.

    Returns:
        The baseline, or the reason why nothing can be compared (which another check reports).
    """
    subject.model.eval()
    return subject.passes.share(
        ("baseline", seed, batch, length, seeded),
        lambda: _search_baseline(subject, seed, batch, length, seeded),
    )


def _search_baseline(subject: Subject, seed: int, batch: int, length: int, seeded: bool) -> Baseline | str:
    answers = SteadyAnswers(subject, seed)
    inputs = subject.inputs
    length = inputs.clip_length(length)
    sizes = [
        (rows, steps, other)
        for rows in dict.fromkeys((batch, inputs.default_batch))
        for steps in dict.fromkeys((length, inputs.default_length))
        for other in dict.fromkeys((inputs.clip_length(steps - 2), steps))
    ]
    for rows, steps, other in sizes:
        call = subject.make_call(batch=rows, length=steps, target_length=other, seed=seed)
        answer = answers.attempt(call)
        if answer is not None:
            return _settle(Baseline(answers, call, answer, rows, steps, other), seeded)
    return "the model raised at every short length tried (see T1-SHAPE)"


def _settle(found: Baseline, seeded: bool) -> Baseline | str:
    answers, call, answer = found.answers, found.call, found.answer
    if answer.is_meta:
        return "parameters are on the meta device"
    if answer.numel() == 0 or not bool(answer.isfinite().all()):
        return "the output is not finite (see T1-STAB)"
    other_seed = answers.seed + (0 if seeded else 1)
    if measure_change(answer, answers(call, seed=other_seed)) > found.tolerance / 10:
        return "equal calls give different outputs in evaluation mode (see T1-STAB)"
    if bool((answer == answer.flatten()[0]).all()) and answer.numel() > 1:
        answers = answers.with_zeros_filled()
        answer = answers(call)
        if bool((answer == answer.flatten()[0]).all()):
            return "the output is constant (see T1-STAB)"
    return Baseline(answers, call, answer, found.batch, found.length, found.target_length)
