"""Apply a measure to the inputs and outputs of every module during a forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from tierproof.model.call.outputs import iterate_tensors

T = TypeVar("T")
Measure = Callable[[Sequence[Tensor]], T]


@dataclass(frozen=True)
class Observation(Generic[T]):
    """One call of one module: its path and class, and the measure of its inputs (before) and outputs (after)."""

    path: str
    kind: str
    before: T
    after: T


@contextmanager
def watch_modules(model: nn.Module, measure: Measure[T]) -> Iterator[list[Observation[T]]]:
    """Inside the `with`, collect an observation of every module call, in the order in which the calls return.

    Args:
        model: its modules are watched; what runs inside a TorchScript module is not seen.
        measure: applied to all tensors among a module's arguments, then to those it returns. It is called
            without gradients. Tensors inside `torch.func.vmap` are left out: their values cannot be read.
    """
    observations: list[Observation[T]] = []
    entered: list[tuple[str, T]] = []
    handles: list[Any] = []

    def take(value: Any) -> T:
        with torch.no_grad():
            found = (tensor for _, tensor in iterate_tensors(value))
            return measure([t for t in found if not torch._C._functorch.is_functorch_wrapped_tensor(t)])

    def watch(path: str, module: nn.Module) -> None:
        kind = type(module).__name__

        def before(_module: nn.Module, arguments: Any, keywords: Any) -> None:
            entered.append((path, take((arguments, keywords))))

        def after(_module: nn.Module, _arguments: Any, _keywords: Any, output: Any) -> None:
            while entered:
                entered_path, measured = entered.pop()
                if entered_path == path:
                    observations.append(Observation(path, kind, measured, take(output)))
                    return

        handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
        handles.append(module.register_forward_hook(after, with_kwargs=True))

    try:
        for path, module in model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                continue
            watch(path, module)
        yield observations
    finally:
        for handle in handles:
            handle.remove()


def find_first(
    observations: Sequence[Observation[T]], good: Callable[[T], bool], bad: Callable[[T], bool]
) -> Observation[T] | None:
    """The first call whose arguments were good and whose result was bad; else the first bad result."""
    for observation in observations:
        if good(observation.before) and bad(observation.after):
            return observation
    return next((item for item in observations if bad(item.after)), None)
