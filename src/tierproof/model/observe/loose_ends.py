"""Find what a forward pass computes with gradients and then throws away: scalars, and results of autograd Functions."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.model.call.outputs import iterate_tensors
from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.operation_watch import OperationWatch


@dataclass(frozen=True)
class LooseEnd:
    """One differentiable result that nothing uses.

    Attributes:
        path: of the module that computed it.
        made_by: name of the operation, or of the `autograd.Function`.
        custom: whether an `autograd.Function` of the model's own made it.
    """

    path: str
    made_by: str
    custom: bool


@dataclass
class _End:
    made: LooseEnd
    tensor: weakref.ref[Tensor]
    node: Any
    used: bool = False


@dataclass
class _Ends:
    """Differentiable results by id; an entry counts while its tensor is alive."""

    trace: ExecutionTrace
    found: list[_End] = field(default_factory=list)
    by_id: dict[int, _End] = field(default_factory=dict)

    def add(self, tensor: Tensor, name: str, *, custom: bool) -> None:
        end = _End(LooseEnd(self.trace.current, name, custom), weakref.ref(tensor), tensor.grad_fn)
        self.found.append(end)
        self.by_id[id(tensor)] = end

    def use(self, values: Iterable[Any]) -> None:
        """Note that an operation read these values."""
        for value in values:
            for item in value if isinstance(value, list | tuple) else (value,):
                end = self.by_id.get(id(item)) if isinstance(item, Tensor) else None
                if end is not None and end.tensor() is item:
                    end.used = True


class _ScalarWatch(OperationWatch):
    """Notes each differentiable tensor without axes, and what operations read."""

    def __init__(self, ends: _Ends) -> None:
        super().__init__()
        self._ends = ends

    def after(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        """Note what an operation read and gave."""
        # A property that is read, such as `shape` or `requires_grad`, uses no value.
        if name != "__get__":
            self._ends.use((*args, *kwargs.values()))
        if isinstance(result, Tensor) and result.dim() == 0 and result.grad_fn is not None:
            self._ends.add(result, name, custom=False)


@contextmanager
def _watch_functions(ends: _Ends) -> Iterator[None]:
    """While inside, notes the differentiable results of every `autograd.Function`, which no mode sees."""
    kept = torch.autograd.Function.__dict__["apply"]

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        result = kept.__get__(None, cls)(*args, **kwargs)
        # What goes into it is used exactly when its own result is, which is noted here.
        made = result if isinstance(result, tuple) else (result,)
        for tensor in made if _is_foreign(cls) else ():
            if isinstance(tensor, Tensor) and tensor.grad_fn is not None:
                ends.add(tensor, cls.__name__, custom=True)
        return result

    torch.autograd.Function.apply = classmethod(apply)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        torch.autograd.Function.apply = kept  # type: ignore[method-assign]


def _is_foreign(function: type) -> bool:
    """Whether a Function is not one of PyTorch's own, such as that of checkpointing."""
    return not function.__module__.startswith("torch.")


def find_loose_ends(model: nn.Module, run: Callable[[], Any]) -> list[LooseEnd]:
    """Run a forward pass with gradients and give each differentiable result that it throws away.

    Loose is a scalar, or what an `autograd.Function` returned, that no operation reads, that lies on no path to what
    the model returns, and that nothing holds after the pass (an attribute, a list, a closure).
    """
    with torch.enable_grad(), ExecutionTrace(model) as trace:
        ends = _Ends(trace)
        with _watch_functions(ends), _ScalarWatch(ends):
            output = run()
    reached = _collect_nodes(tensor for _, tensor in iterate_tensors(output))
    loose = [end for end in ends.found if end.node not in reached and not end.used]
    # The graph itself may hold a tensor (`exp` saves its result), so it goes before the holders are looked for.
    for end in ends.found:
        end.node = None
    del reached, output
    if any(end.tensor() is not None for end in loose):
        gc.collect()  # a cycle may hold it
    return [end.made for end in loose if end.tensor() is None]


def _collect_nodes(tensors: Iterable[Tensor]) -> set[Any]:
    seen: set[Any] = set()
    waiting = [tensor.grad_fn for tensor in tensors if tensor.grad_fn is not None]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [following for following, _ in node.next_functions if following is not None]
    return seen
