"""Find which of the given tensors a forward pass computes with, and in which module."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from tierproof.model.observe.execution_trace import ExecutionTrace


class _Watch(TorchFunctionMode):
    def __init__(self, names: Mapping[int, str], trace: ExecutionTrace) -> None:
        super().__init__()
        self.seen: dict[str, str] = {}
        self._names = names
        self._trace = trace

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Note watched tensors among the arguments, and run the operation unchanged."""
        for value in (*args, *(kwargs or {}).values()):
            for tensor in value if isinstance(value, list | tuple) else (value,):
                if isinstance(tensor, Tensor) and id(tensor) in self._names:
                    self.seen.setdefault(self._names[id(tensor)], self._trace.current)
        return func(*args, **(kwargs or {}))


def find_used_tensors(
    watched: Mapping[str, Tensor], running: nn.Module, run: Callable[[], object]
) -> dict[str, str]:
    """Run a model, and find which of the watched tensors its operations use.

    Args:
        watched: tensors by name.
        running: the model that `run` calls.

    Returns:
        The name of each tensor that was used, with the path of the module of `running` that used it first.
    """
    with ExecutionTrace(running) as trace:
        watch = _Watch({id(tensor): name for name, tensor in watched.items()}, trace)
        with watch:
            run()
    return watch.seen
