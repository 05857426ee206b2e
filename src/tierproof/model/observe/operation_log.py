"""Log what a forward pass does: parameters it uses, gradients it cuts, hard choices such as top-k."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.harmless import harmless

# Operations after which no gradient flows, though the value goes on.
_CUTS = frozenset({"detach", "detach_", "data", "item", "tolist", "numpy", "__array__", "requires_grad_"})
# Operations whose result jumps instead of moving: what feeds only them has a zero gradient and is sound.
_CHOICES = frozenset(
    {"topk", "argmax", "argmin", "argsort", "sort", "one_hot", "multinomial", "bincount", "histc", "bucketize",
     "searchsorted", "round", "sign", "floor", "ceil", "kthvalue", "gumbel_softmax", "bernoulli"}
)  # fmt: skip


@dataclass(frozen=True)
class GradientCut:
    """One operation that stops the gradient of a tensor, such as `detach`; `tick` numbers the operations."""

    path: str
    operation: str
    tick: int


@dataclass
class OperationLog:
    """The record of one forward pass; ticks number its operations.

    Attributes:
        used: id of each parameter that took part in an operation, with the tick of the first one.
        used_without_gradient: ids of those that were used while gradients were switched off.
        cuts: where gradients were cut, in order.
        choices: paths of the modules in which a hard choice (top-k, argmax, rounding) was made.
        lone_softmaxes: paths of the modules in which a softmax had a single entry, so that its output is always 1:
            attention over a single key, where queries and keys have no effect.
    """

    used: dict[int, int] = field(default_factory=dict)
    used_without_gradient: set[int] = field(default_factory=set)
    cuts: list[GradientCut] = field(default_factory=list)
    choices: set[str] = field(default_factory=set)
    lone_softmaxes: set[str] = field(default_factory=set)

    def is_near_lone_softmax(self, path: str) -> bool:
        """Whether a softmax of the module, or of one that it is part of, had a single entry."""
        return any(_is_inside(path, softmax) for softmax in self.lone_softmaxes)

    def is_near_choice(self, path: str) -> bool:
        """Whether a hard choice was made in the module, its parent or its grandparent (the root excepted)."""
        parts = path.split(".")
        near = {".".join(parts[: len(parts) - up]) for up in range(min(3, len(parts)))}
        return bool(near & self.choices) or (len(parts) == 1 and "" in self.choices)


class OperationRecorder(TorchFunctionMode):
    """Fill an `OperationLog` while active; `trace` names the running module.

    Operations inside TorchScript and compiled code are not seen.
    """

    def __init__(self, trace: ExecutionTrace) -> None:
        super().__init__()
        self.log = OperationLog()
        self.failures: list[str] = []
        self._trace = trace
        self._ticks = 0

    def __torch_function__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Note the operation and run it unchanged."""
        self._ticks += 1
        with harmless(self.failures):
            self._note(func, args, kwargs or {})
        return func(*args, **(kwargs or {}))

    def _note(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        name = _name_operation(func)
        if name in _INSPECTIONS:
            return
        for tensor in _tensors_among((*args, *kwargs.values())):
            if isinstance(tensor, nn.Parameter):
                self.log.used.setdefault(id(tensor), self._ticks)
                if not torch.is_grad_enabled():
                    self.log.used_without_gradient.add(id(tensor))
        if _is_lone_softmax(name, args, kwargs):
            self.log.lone_softmaxes.add(self._trace.current)
        if name in _CHOICES:
            self.log.choices.add(self._trace.current)
        elif name in _CUTS and args and isinstance(args[0], Tensor) and args[0].requires_grad:
            self.log.cuts.append(GradientCut(self._trace.current, name, self._ticks))


# Questions about a tensor that do not use its values.
_INSPECTIONS = frozenset(
    {"dtype", "device", "shape", "size", "dim", "ndim", "numel", "requires_grad", "is_floating_point", "is_meta",
     "layout", "stride", "is_contiguous", "data_ptr", "is_cuda", "grad", "grad_fn", "is_leaf", "element_size",
     "is_complex", "is_sparse", "is_quantized", "__hash__", "_version", "names", "is_nested", "is_cpu", "__len__"}
)  # fmt: skip


def _is_inside(path: str, module: str) -> bool:
    """Whether a path leads into a module; the root, which holds all of them, counts for its own parts alone."""
    return path == module or path.startswith(f"{module}.") if module else "." not in path


def _is_lone_softmax(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    if name == "scaled_dot_product_attention":
        key = kwargs.get("key", args[1] if len(args) > 1 else None)
        return isinstance(key, Tensor) and key.dim() >= 2 and key.shape[-2] == 1
    if name != "softmax" or not args or not isinstance(args[0], Tensor):
        return False
    axis = kwargs.get("dim", args[1] if len(args) > 1 else None)
    return isinstance(axis, int) and args[0].dim() > 0 and args[0].shape[axis] == 1


def _tensors_among(values: Iterable[Any]) -> Iterable[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from (item for item in value if isinstance(item, Tensor))


def _name_operation(func: Any) -> str:
    name = str(getattr(func, "__name__", ""))
    if name == "__get__":  # a property such as `tensor.data`
        return str(getattr(getattr(func, "__self__", None), "__name__", ""))
    return name
