"""Record which modules a forward pass executes, and in which one it raises."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle


class ExecutionTrace:
    """Inside the `with`, records the order in which a model's modules are called and complete.

    Attributes:
        executed: paths of the modules that completed, in order of completion ("" is the model itself).
        entered: paths of the modules that were called, in order of their calls.
        raised_in: path of the innermost module that was called and did not complete; None if all completed.
    """

    def __init__(self, model: nn.Module) -> None:
        self.executed: list[str] = []
        self.entered: list[str] = []
        self.raised_in: str | None = None
        self._model = model
        self._open: list[str] = []
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> ExecutionTrace:
        for path, module in self._model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                continue  # scripted modules call no hooks inside
            self._handles.append(module.register_forward_pre_hook(self._make_enter(path)))
            self._handles.append(module.register_forward_hook(self._make_leave(path)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self.note_open()

    @property
    def current(self) -> str:
        """Path of the module that is running now; empty for the model itself and outside of it."""
        return self._open[-1] if self._open else ""

    def note_open(self) -> None:
        """Set `raised_in` to the innermost module that has not completed."""
        if self.raised_in is None and self._open:
            self.raised_in = self._open[-1]

    def _make_enter(self, path: str) -> Any:
        def enter(_module: nn.Module, _args: Any) -> None:
            self._open.append(path)
            self.entered.append(path)

        return enter

    def _make_leave(self, path: str) -> Any:
        def leave(_module: nn.Module, _args: Any, _output: Any) -> None:
            while self._open and self._open.pop() != path:
                pass
            self.executed.append(path)

        return leave
