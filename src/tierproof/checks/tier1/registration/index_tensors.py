"""Tell whether a tensor of integers only picks entries of others: such an index works from the CPU on any device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from tierproof.model.compare.steady_answer import Baseline
from tierproof.model.observe.operation_watch import OperationWatch

_REARRANGE = frozenset(
    {"view", "reshape", "flatten", "__getitem__", "unbind", "select", "transpose", "t", "long"}
)


def is_index_only(base: Baseline, tensor: Tensor) -> bool:
    """Whether a forward pass uses the tensor, and what is rearranged of it, as an index and in no other way."""
    if tensor.is_floating_point() or tensor.is_complex():
        return False
    watch = _IndexWatch(tensor)
    with watch:
        base.answers.attempt(base.call)
    return watch.picked and not watch.otherwise


class _IndexWatch(OperationWatch):
    """Follows one tensor; `picked` says that it was an index, `otherwise` that it was used in another way."""

    def __init__(self, tensor: Tensor) -> None:
        super().__init__()
        self.picked = False
        self.otherwise = False
        # Kept alive, so that no id is given out twice.
        self._followed = {id(tensor): tensor}

    def after(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        """Note how the tensor is used, and follow what is rearranged of it."""
        first = args[0] if args else None
        if name == "__getitem__" and self._holds(args[1:]):
            self.picked = True
            self.otherwise |= self._is_followed(first)
        elif self._is_followed(first) and name in _REARRANGE:
            made = result if isinstance(result, tuple | list) else (result,)
            self._followed |= {id(part): part for part in made if isinstance(part, Tensor)}
        elif self._holds((args, tuple(kwargs.values()))) and name != "__get__":
            self.otherwise = True

    def _is_followed(self, value: Any) -> bool:
        return isinstance(value, Tensor) and self._followed.get(id(value)) is value

    def _holds(self, value: Any) -> bool:
        if isinstance(value, tuple | list):
            return any(self._holds(part) for part in value)
        return self._is_followed(value)
