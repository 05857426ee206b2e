"""What the operations of a forward pass touch: parameters used, gradients cut, hard choices made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from tierproof.model.execution_trace import ExecutionTrace

# Operations after which no gradient flows, though the value goes on.
_CUTS = frozenset({"detach", "detach_", "data", "item", "tolist", "numpy", "__array__", "requires_grad_"})
# Operations whose result jumps instead of moving: what feeds only them has a zero gradient and is sound.
_CHOICES = frozenset(
    {"topk", "argmax", "argmin", "argsort", "sort", "one_hot", "multinomial", "bincount", "histc", "bucketize",
     "searchsorted", "round", "sign", "floor", "ceil", "kthvalue", "gumbel_softmax", "bernoulli"}
)  # fmt: skip


@dataclass(frozen=True)
class GradientCut:
    """A tensor that carried gradients met an operation that lets none through."""

    path: str
    operation: str
    position: int


@dataclass
class OperationLog:
    """What a forward pass did, by module path.

    Attributes:
        used: ids of the parameters that took part in an operation.
        cuts: where gradients were cut, in order; `position` counts the modules entered before.
        choices: paths of the modules in which a hard choice (top-k, argmax, rounding) was made.
    """

    used: set[int] = field(default_factory=set)
    cuts: list[GradientCut] = field(default_factory=list)
    choices: set[str] = field(default_factory=set)


class OperationRecorder(TorchFunctionMode):
    """Fill an `OperationLog` while active; `trace` names the running module.

    Operations inside TorchScript and compiled code are not seen.
    """

    def __init__(self, trace: ExecutionTrace) -> None:
        super().__init__()
        self.log = OperationLog()
        self._trace = trace

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Note the operation and run it unchanged."""
        self._note(func, args, kwargs or {})
        return func(*args, **(kwargs or {}))

    def _note(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        for tensor in _tensors_among((*args, *kwargs.values())):
            if isinstance(tensor, nn.Parameter):
                self.log.used.add(id(tensor))
        name = _name_operation(func)
        if name in _CHOICES:
            self.log.choices.add(self._trace.current)
        elif name in _CUTS and args and isinstance(args[0], Tensor) and args[0].requires_grad:
            self.log.cuts.append(GradientCut(self._trace.current, name, len(self._trace.entered)))


def _tensors_among(values: Iterable[Any]) -> Iterable[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from (item for item in value if isinstance(item, Tensor))


def _name_operation(func: Any) -> str:
    name = getattr(func, "__name__", "")
    if name == "__get__":  # a property such as `tensor.data`
        return getattr(getattr(func, "__self__", None), "__name__", "")
    return name


def is_inside_choice(path: str, choices: set[str]) -> bool:
    """Whether a hard choice was made in the module, its parent or its grandparent (the root excepted)."""
    parts = path.split(".")
    near = {".".join(parts[: len(parts) - up]) for up in range(min(3, len(parts)))}
    return bool((near - {""}) & choices) or (len(parts) == 1 and "" in choices)

