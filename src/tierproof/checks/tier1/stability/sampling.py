"""Tell why a forward pass draws random numbers: to sample, to add noise, or to drop activations.

Sampling is what generative models do in every mode: noise whose strength the model computes (a reparametrised latent,
a step of a diffusion), a start that it refines, a random choice of indices. Noise of a fixed strength that is added to
an activation regularises, and so does a factor that drops: both belong to training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from torch import Tensor

from tierproof.model.describe.subject import Subject
from tierproof.model.observe.operation_watch import OperationWatch

_NORMAL = frozenset({"randn", "randn_like", "normal", "normal_"})
_UNIFORM = frozenset({"rand", "rand_like", "uniform", "uniform_"})
_INDICES = frozenset({"randint", "randint_like", "multinomial", "randperm"})
_DROPS = frozenset(
    {"dropout", "dropout_", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout",
     "bernoulli", "bernoulli_", "rrelu", "gumbel_softmax"}
)  # fmt: skip
# Uniform numbers are compared with a rate, or rounded after the rate was added.
_CUTS = frozenset(
    {"lt", "le", "gt", "ge", "__lt__", "__le__", "__gt__", "__ge__", "less", "greater", "floor", "floor_"}
)
_TIMES = frozenset(
    {"mul", "mul_", "multiply", "__mul__", "__rmul__", "__imul__",
     "div", "div_", "divide", "true_divide", "__truediv__", "__itruediv__", "__rtruediv__"}
)  # fmt: skip
_PLUS = frozenset(
    {
        "add",
        "add_",
        "__add__",
        "__radd__",
        "__iadd__",
        "sub",
        "sub_",
        "rsub",
        "__sub__",
        "__rsub__",
        "__isub__",
    }
)
_REARRANGE = frozenset(
    {"view", "reshape", "flatten", "unsqueeze", "squeeze", "expand", "expand_as", "repeat", "permute", "transpose",
     "to", "type", "type_as", "float", "double", "half", "clone", "contiguous", "detach", "__getitem__", "neg",
     "__neg__", "clamp", "clamp_", "clip", "log", "log_", "log1p"}
)  # fmt: skip


class Randomness(Enum):
    """What a forward pass does with the random numbers that it draws."""

    DROPS = auto()
    """It drops activations, or adds uniform noise: dropout, stochastic depth."""
    ADDS_NOISE = auto()
    """It adds normal noise of a fixed strength to an activation."""
    SAMPLES = auto()
    """It samples: noise of a strength that it computes, a start of its own, or a choice of indices."""


def judge_randomness(subject: Subject) -> Randomness:
    """What the random numbers are for that one forward pass draws.

    A model of tokens that answers with logits has nothing to sample: noise in it is a fault. A model that answers with
    nothing but a loss is an objective, which may hide a random part of its input.
    """
    if subject.inputs.primary_argument.role == "tokens" and subject.outputs.role == "logits":
        return Randomness.DROPS
    watch = _RandomWatch()
    call = subject.make_call()
    with watch:
        answer = subject.answer(call)
    objective = answer.numel() == 1 and subject.make_call().tensors[subject.inputs.primary].numel() > 1
    if watch.drops or (watch.cuts and not objective):
        return Randomness.DROPS
    if watch.adds_uniform:
        return Randomness.DROPS
    if watch.adds_normal:
        return Randomness.ADDS_NOISE
    return Randomness.SAMPLES if watch.drawn else Randomness.DROPS


@dataclass(frozen=True)
class _RawDraw:
    """Random numbers that nothing but numbers have scaled (or shifted)."""

    values: Tensor
    uniform: bool
    shifted: bool


class _RandomWatch(OperationWatch):
    """Follows what is drawn.

    Attributes:
        drawn: random numbers were drawn.
        drops: a dropout drew them.
        cuts: they were compared with a rate.
        adds_normal, adds_uniform: they were added to an activation, or one plus them multiplied it, times nothing but
            numbers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.drawn = self.drops = self.cuts = self.adds_normal = self.adds_uniform = False
        # Kept alive, so that no id is given out twice. A draw is raw while nothing but numbers has scaled it.
        self._raw: dict[int, _RawDraw] = {}
        self._derived: dict[int, Tensor] = {}

    def after(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        """Note a draw, and what becomes of it."""
        if name in _DROPS:
            self.drops |= kwargs.get("training", True) is not False
        elif name in _INDICES:
            self.drawn = True
        elif name in _NORMAL | _UNIFORM and isinstance(result, Tensor):
            self.drawn = True
            scaled = any(
                isinstance(value, Tensor) and value.dim() for value in (*args[1:2], kwargs.get("std"))
            )
            if name in _NORMAL and scaled:
                self._derived[id(result)] = result
            else:
                self._raw[id(result)] = _RawDraw(result, name in _UNIFORM, shifted=False)
        else:
            self._follow(name, [*args, *kwargs.values()], result)

    def _follow(self, name: str, operands: list[Any], result: Any) -> None:
        tensors = [value for value in _flatten(operands) if isinstance(value, Tensor)]
        raw = [self._raw[id(tensor)] for tensor in tensors if id(tensor) in self._raw]
        if not raw and not any(id(tensor) in self._derived for tensor in tensors):
            return
        others = [t for t in tensors if id(t) not in self._raw and (t.dim() or t.requires_grad)]
        uniform, shifted = any(draw.uniform for draw in raw), any(draw.shifted for draw in raw)
        self.cuts |= uniform and name in _CUTS
        meets = bool(raw and others) and not any(id(other) in self._derived for other in others)
        if meets and (name in _PLUS or (shifted and name in _TIMES and not uniform)):
            self.adds_uniform |= uniform
            self.adds_normal |= not uniform
        plain = name in _REARRANGE or (name in _TIMES | _PLUS and not others)
        for made in _flatten([result]):
            if not isinstance(made, Tensor):
                continue
            if raw and plain:
                self._raw[id(made)] = _RawDraw(made, uniform, shifted=shifted or name in _PLUS)
            elif id(made) not in self._raw:
                self._derived[id(made)] = made


def _flatten(values: list[Any]) -> list[Any]:
    found = []
    for value in values:
        found += _flatten(list(value)) if isinstance(value, list | tuple) else [value]
    return found
