"""Count the operations of a forward pass, and keep the last one: it is the one that failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class LastOperation(TorchFunctionMode):
    """While it is entered, every operation is counted; how far a trial came tells how good its inputs were.

    Attributes:
        count: of operations that were begun.
        args: of the last lookup in a table.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.args: tuple[Any, ...] = ()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if getattr(func, "__name__", "") not in ("__get__", "size", "dim"):
            self.count += 1
        if func is F.embedding:
            self.args = (*args, *(kwargs or {}).values())
        return func(*args, **(kwargs or {}))

    def below_the_table(self) -> bool:
        """Whether the last lookup had a negative index."""
        tensors = [value for value in self.args if isinstance(value, Tensor)]
        return bool(tensors and not tensors[0].is_meta and tensors[0].numel() and int(tensors[0].min()) < 0)

    def beyond_the_table(self) -> tuple[tuple[int, int], ...]:
        """One more than the largest index of the last lookup, and the rows of its table; empty where it fits."""
        tensors = [value for value in self.args if isinstance(value, Tensor)]
        if len(tensors) < 2 or tensors[0].is_meta or not tensors[0].numel():
            return ()
        needed, rows = int(tensors[0].max()) + 1, tensors[1].shape[0]
        return ((needed, rows),) if needed > rows else ()
