"""Count the operations that one forward pass runs, and list its modules in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from tierproof.model.observe.execution_trace import ExecutionTrace


@dataclass(frozen=True)
class ForwardCensus:
    """The operations and modules that one forward pass ran.

    Attributes:
        entered: module paths in the order of their calls.
        operations: how often each torch function was called, by its name.
        routed: (k, n) of each top-k choice along a last axis of n.
    """

    entered: tuple[str, ...] = ()
    operations: Counter[str] = field(default_factory=Counter)
    routed: tuple[tuple[int, int], ...] = ()

    def ran(self, *names: str) -> int:
        """How often any of the functions was called."""
        return sum(self.operations[name] for name in names)


class _Counting(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.operations: Counter[str] = Counter()
        self.routed: list[tuple[int, int]] = []

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Count the call and run it unchanged."""
        kwargs = kwargs or {}
        name = str(getattr(func, "__name__", ""))
        self.operations[name] += 1
        if name == "topk" and args and isinstance(args[0], Tensor) and args[0].dim():
            chosen = kwargs.get("k", args[1] if len(args) > 1 else None)
            if isinstance(chosen, int):
                self.routed.append((chosen, args[0].shape[-1]))
        return func(*args, **kwargs)


def take_census(model: nn.Module, run: Callable[[], object]) -> ForwardCensus:
    """Run the model and count its operations; return an empty census if it raises."""
    counting = _Counting()
    trace = ExecutionTrace(model)
    try:
        with trace, counting:
            run()
    except Exception:  # noqa: BLE001 - a size that fails is a finding of T1-SHAPE; evidence is optional
        return ForwardCensus()
    return ForwardCensus(tuple(trace.entered), counting.operations, tuple(counting.routed))
