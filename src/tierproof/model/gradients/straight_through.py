"""Find where a gradient is passed straight through a quantiser: `x + (q - x).detach()`, or `q - x.detach() + x`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.operation_watch import OperationWatch

_PLUS = frozenset({"add", "add_", "__add__", "__radd__", "__iadd__"})
_MINUS = frozenset({"sub", "sub_", "__sub__", "__isub__"})


class _DetourWatch(OperationWatch):
    """Follows differences and what was detached; `paths` are the modules in which the two meet as above."""

    def __init__(self, trace: ExecutionTrace) -> None:
        super().__init__()
        self.paths: set[str] = set()
        self._trace = trace
        # By the id of a result: what it was made of, kept alive, so that no id is given out twice.
        self._kept: list[Any] = []
        self._differences: dict[int, Tensor] = {}
        self._detached: dict[int, Tensor] = {}
        self._detours: dict[int, Tensor] = {}

    def after(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:  # noqa: ARG002
        """Note a difference, a detached tensor, and a sum that adds a tensor to a detour around it."""
        if not isinstance(result, Tensor) or not args or not isinstance(args[0], Tensor):
            return
        first, second = args[0], args[1] if len(args) > 1 else None
        if name == "detach":
            self._kept.append((first, result))
            self._detached[id(result)] = first
            if id(first) in self._differences:
                self._detours[id(result)] = self._differences[id(first)]
        elif name in _MINUS and isinstance(second, Tensor):
            self._kept.append((second, result))
            if id(second) in self._detached:
                self._detours[id(result)] = self._detached[id(second)]
            else:
                self._differences[id(result)] = second
        elif name in _PLUS and isinstance(second, Tensor):
            for detour, other in ((first, second), (second, first)):
                if self._detours.get(id(detour)) is other:
                    self.paths.add(self._trace.current)


def find_straight_through(model: nn.Module, run: Callable[[], object]) -> set[str]:
    """Run a forward pass with gradients, and give the paths of the modules that pass them straight through."""
    with ExecutionTrace(model) as trace:
        watch = _DetourWatch(trace)
        with torch.enable_grad(), watch:
            run()
    return watch.paths
