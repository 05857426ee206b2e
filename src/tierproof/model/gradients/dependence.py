"""Measure how much a model's answers change when some of its parameters are replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from tierproof.model.call.call import Call
from tierproof.model.call.substitution import draw_noise, run_substituted
from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.objective import collect_answers

# Relative steps of the parameters. A smooth dependence moves in proportion to them; a top-k, an argmax or a
# rounding stays put or jumps.
_STEPS = (0.1, 0.03, 0.01)
# Far enough to wake a saturated unit, in units of the parameters' own size: a branch times zero stays asleep.
_FAR = 3.0
# Off proportion by less than this factor still counts as smooth: softmax and norms bend at steps of 10 %.
_PROPORTION = 2.5
# Movement below this many units of rounding is no movement.
_ROUNDINGS = 100.0


@dataclass(frozen=True)
class Movement:
    """How much the answers changed when some parameters were replaced, relative to the answers' spread.

    Attributes:
        small: for relative steps of 10, 3 and 1 % of the parameters.
        large: for added noise of three times the parameters' own size, and of at least 3.
        floor: the largest change that counts as none.
    """

    small: tuple[float, ...]
    large: float
    floor: float

    @property
    def smooth(self) -> bool:
        """Whether the answers change in proportion to the step of the parameters."""
        if min(self.small) <= self.floor:
            return False
        return all(
            (a / b) / _PROPORTION <= moved_a / moved_b <= (a / b) * _PROPORTION
            for a, b, moved_a, moved_b in zip(_STEPS, _STEPS[1:], self.small, self.small[1:], strict=False)
        )

    @property
    def none(self) -> bool:
        """Whether the answers do not change, however large the step of the parameters."""
        return max(*self.small, self.large) <= self.floor


class DependenceProbe:
    """Measures which parameters the answers depend on, for one call in the model's present modes.

    Every run starts from the same seed, so dropout draws the same mask each time.
    """

    def __init__(
        self, subject: Subject, call: Call, seed: int, answers: Iterable[str], stand_ins: Mapping[str, Tensor]
    ) -> None:
        self._subject, self._call, self._seed = subject, call, seed
        self._paths = frozenset(answers)
        self._stand_ins = dict(stand_ins)
        self._parameters = dict(subject.model.named_parameters())
        self._base = self._run({})

    @property
    def repeatable(self) -> bool:
        """Whether a second run gives the same answers; if not, nothing can be measured."""
        again = self._run({})
        return all(torch.equal(again[path], tensor) for path, tensor in self._base.items() if path in again)

    def measure(self, names: Iterable[str]) -> Movement:
        """Replace the named parameters and measure how much the answers change."""
        names = list(names)
        small = tuple(self._move(names, step) for step in _STEPS)
        return Movement(small, self._move(names, None), self._floor)

    def affects(self, names: Iterable[str]) -> bool:
        """Whether the answers change with them: `not measure(names).none`, in one pass where they do."""
        names = list(names)
        return any(self._move(names, step) > self._floor for step in (None, *_STEPS))

    @property
    def _floor(self) -> float:
        smallest = min(
            (torch.finfo(t.dtype) for t in self._base.values()), key=lambda info: info.bits, default=None
        )
        return _ROUNDINGS * (smallest.eps if smallest else 0.0)

    def _move(self, names: list[str], step: float | None) -> float:
        """Move the parameters by `step` times their own size, or far away for None."""
        generator = torch.Generator().manual_seed(self._seed + 1)
        replaced = {}
        for name in names:
            value = self._current(name)
            if step is None:
                size = float(value.double().square().mean().sqrt())
                noise = _FAR * max(1.0, size) * torch.randn(value.shape, generator=generator).to(value)
            else:
                noise = step * draw_noise(value, generator)
            replaced[name] = value + noise
        moved = self._run(replaced)
        distances = [_measure_distance(tensor, moved.get(path)) for path, tensor in self._base.items()]
        return max(distances, default=0.0)

    def _current(self, name: str) -> Tensor:
        return self._stand_ins.get(name, self._parameters[name]).detach()

    def _run(self, replaced: Mapping[str, Tensor]) -> dict[str, Tensor]:
        torch.manual_seed(self._seed)
        with torch.no_grad():
            tensors = {**self._stand_ins, **replaced}
            output = run_substituted(self._subject.model, tensors, self._call)
        return {path: t.clone() for path, t in collect_answers(output).items() if path in self._paths}


def _measure_distance(base: Tensor, moved: Tensor | None) -> float:
    if moved is None or moved.shape != base.shape:
        return float("inf")
    finite = base.isfinite() & moved.isfinite()
    if base.is_complex():
        base, moved = torch.view_as_real(base), torch.view_as_real(moved)
        finite = finite.unsqueeze(-1).expand(base.shape)
    kept, other = base[finite].double(), moved[finite].double()
    if kept.numel() == 0:
        return 0.0
    spread = float(kept.std()) if kept.numel() > 1 else 0.0
    # A constant answer has no spread: its size is the next best unit.
    unit = max(spread, 1e-3 * float(kept.abs().max()), 1e-12)
    return float((other - kept).abs().max()) / unit
