"""Measure how large a branch is beside what it is added to, for every addition of two activations."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.model.call.outputs import iterate_tensors
from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.operation_watch import OperationWatch

_ADDS = frozenset({"add", "add_", "__add__", "__radd__", "__iadd__"})
# A gain is applied to a branch last, perhaps before a reshape or a cast.
_MOST_STEPS = 4
_FLOAT32_ROUNDING = torch.finfo(torch.float32).eps
_RESHAPES = (
    "View",
    "Reshape",
    "UnsafeView",
    "Unsqueeze",
    "Squeeze",
    "Expand",
    "Permute",
    "Transpose",
    "ToCopy",
)


@dataclass(frozen=True)
class BranchAddition:
    """One addition of two activations of one shape, neither of them all zero.

    Attributes:
        path: of the module that returned the smaller one, or else of the one that adds.
        ratio: root mean square of the smaller one divided by that of the larger one.
        rounding: distance from 1 to the next number of their dtype, or of float32 where that is finer. What half
            precision alone rounds away is no fault of the model: there even a polynomial's last term vanishes.
        scaled: whether a parameter was multiplied with the smaller one at last (a gain that training moves).
    """

    path: str
    ratio: float
    rounding: float
    scaled: bool


class _AdditionWatch(OperationWatch):
    def __init__(self, trace: ExecutionTrace, makers: Mapping[int, tuple[weakref.ref[Tensor], str]]) -> None:
        super().__init__()
        self.found: list[BranchAddition] = []
        self._trace = trace
        self._makers = makers

    def before(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Measure both operands of an addition."""
        if name in _ADDS and len(args) >= 2:
            self._note(args[0], args[1])

    def _note(self, first: Any, second: Any) -> None:
        if not isinstance(first, Tensor) or not isinstance(second, Tensor) or first.shape != second.shape:
            return
        if (
            first.grad_fn is None
            or second.grad_fn is None
            or not first.is_floating_point()
            or first.dim() < 2
            or first.numel() == 0
        ):
            return
        sizes = _measure_sizes(first.detach(), second.detach())
        if not all(0 < size < float("inf") for size in sizes):
            return
        small = first if sizes[0] < sizes[1] else second
        made = self._makers.get(id(small))
        path = made[1] if made is not None and made[0]() is small else self._trace.current
        self.found.append(
            BranchAddition(
                path,
                min(sizes) / max(sizes),
                min(torch.finfo(small.dtype).eps, _FLOAT32_ROUNDING),
                _is_scaled_by_parameter(small),
            )
        )


def _measure_sizes(first: Tensor, second: Tensor) -> tuple[float, float]:
    """The root mean squares, leaving out the smallest value: a bias of scores holds −1e10 where a key is hidden."""
    shown = (first != first.min()) & (second != second.min())
    if not bool(shown.any()):
        shown = torch.ones_like(shown)
    one, other = (float(item[shown].double().square().mean().sqrt()) for item in (first, second))
    return one, other


def _is_scaled_by_parameter(branch: Tensor) -> bool:
    node: Any = branch.grad_fn
    for _ in range(_MOST_STEPS):
        if node is None:
            return False
        following = [other for other, _ in node.next_functions if other is not None]
        if type(node).__name__.startswith("MulBackward"):
            return any(_is_parameter(other) for other in following)
        node = following[0] if following else None
    return False


def _is_parameter(node: Any) -> bool:
    """Whether a factor is a parameter, perhaps reshaped as the gains of channels are."""
    for _ in range(_MOST_STEPS):
        if type(node).__name__ == "AccumulateGrad":
            return True
        following = [other for other, _ in node.next_functions if other is not None]
        if len(following) != 1 or not type(node).__name__.startswith(_RESHAPES):
            return False
        node = following[0]
    return False


def measure_additions(model: nn.Module, run: Callable[[], object]) -> list[BranchAddition]:
    """Run a forward pass with gradients and measure every addition of two activations, in order."""
    makers: dict[int, tuple[weakref.ref[Tensor], str]] = {}

    def remember(path: str) -> Any:
        def hook(_module: nn.Module, _arguments: Any, output: Any) -> None:
            for _, tensor in iterate_tensors(output):
                makers[id(tensor)] = (weakref.ref(tensor), path)

        return hook

    handles = [
        module.register_forward_hook(remember(path))
        for path, module in model.named_modules()
        if path and not isinstance(module, torch.jit.ScriptModule)
    ]
    try:
        with torch.enable_grad(), ExecutionTrace(model) as trace:
            watch = _AdditionWatch(trace, makers)
            with watch:
                run()
    finally:
        for handle in handles:
            handle.remove()
    return watch.found
