"""Record the random factors that a forward pass multiplies its activations with: dropout and stochastic depth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.operation_watch import OperationWatch

_TIMES = frozenset({"mul", "mul_", "__mul__", "__rmul__", "__imul__", "multiply"})


@dataclass(frozen=True)
class KeepFactor:
    """A factor of zeros and one other value that met an activation.

    Attributes:
        path: of the module that multiplied.
        turn: how many factors were seen before it.
        shape: of the activation.
        axes: those along which the factor varies.
        kept: the factor along its only axis, if it has just one.
    """

    path: str
    turn: int
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    kept: tuple[bool, ...]


class _FactorWatch(OperationWatch):
    def __init__(self, trace: ExecutionTrace) -> None:
        super().__init__()
        self.found: list[KeepFactor] = []
        self._trace = trace

    def before(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Note a factor of zeros and one other value."""
        if name in _TIMES and len(args) >= 2:
            for factor, other in ((args[0], args[1]), (args[1], args[0])):
                self._note(factor, other)

    def _note(self, factor: Any, other: Any) -> None:
        if not isinstance(factor, Tensor) or not isinstance(other, Tensor) or factor.requires_grad:
            return
        if not other.requires_grad or factor.dim() != other.dim() or factor.dim() < 2:
            return
        values = factor.detach()
        large = values.max()
        if (
            values.numel() < 2
            or bool(values.min() != 0)
            or not bool(((values == 0) | (values == large)).all())
        ):
            return
        axes = tuple(
            axis
            for axis in range(values.dim())
            if values.shape[axis] > 1 and bool((values != values.narrow(axis, 0, 1)).any())
        )
        kept: tuple[bool, ...] = ()
        if len(axes) == 1:
            line = values.movedim(axes[0], 0).flatten(1)[:, 0]
            kept = tuple(bool(value) for value in line != 0)
        self.found.append(KeepFactor(self._trace.current, len(self.found), tuple(other.shape), axes, kept))


def find_keep_factors(model: nn.Module, run: Callable[[], object]) -> list[KeepFactor]:
    """Run a forward pass and give every factor of zeros and one other value, in order."""
    with ExecutionTrace(model) as trace:
        watch = _FactorWatch(trace)
        with watch:
            run()
    return watch.found
