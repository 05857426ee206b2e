"""Which modules a forward pass ran through, and in which it raised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn


@dataclass
class ExecutionTrace:
    """What hooks saw of one or more forward passes.

    Attributes:
        executed: (path, class name) of every module entered, in order; a module called twice stands twice.
        completed: paths of the modules that returned, in order.
        failed_in: path of the innermost module that was entered and not left when the forward raised;
            None when nothing raised. A module that lives under two names goes by its first.
    """

    executed: list[tuple[str, str]] = field(default_factory=list)
    completed: list[str] = field(default_factory=list)
    failed_in: str | None = None
    _entered: list[str] = field(default_factory=list)

    @property
    def current(self) -> str:
        """Path of the module that is running now; the root's own path is empty."""
        return self._entered[-1] if self._entered else ""

    @property
    def paths(self) -> list[str]:
        """Paths of the modules that were entered, each once, in the order of their first call."""
        return list(dict.fromkeys(path for path, _ in self.executed))

    def _enter(self, path: str, kind: str) -> None:
        self.executed.append((path, kind))
        self._entered.append(path)

    def _leave(self, path: str) -> None:
        # A parent may have caught what a child raised: the child was never left, so unwind down to `path`.
        while self._entered and self._entered.pop() != path:
            pass
        self.completed.append(path)


@contextmanager
def trace_execution(model: nn.Module) -> Iterator[ExecutionTrace]:
    """Record what runs inside the block; an exception passes through after `failed_in` is set.

    The hooks are removed on the way out. What runs inside a TorchScript module is not seen.
    """
    trace = ExecutionTrace()
    handles: list[Any] = []
    try:
        for path, module in model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                continue
            handles.append(module.register_forward_pre_hook(_entering(trace, path, type(module).__name__)))
            handles.append(module.register_forward_hook(_leaving(trace, path)))
        yield trace
    except BaseException:
        trace.failed_in = trace.current
        raise
    finally:
        for handle in handles:
            handle.remove()


def _entering(trace: ExecutionTrace, path: str, kind: str) -> Callable[[nn.Module, Any], None]:
    def hook(_module: nn.Module, _arguments: Any) -> None:
        trace._enter(path, kind)

    return hook


def _leaving(trace: ExecutionTrace, path: str) -> Callable[[nn.Module, Any, Any], None]:
    def hook(_module: nn.Module, _arguments: Any, _output: Any) -> None:
        trace._leave(path)

    return hook
