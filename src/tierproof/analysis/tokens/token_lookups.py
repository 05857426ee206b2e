"""Reach the embeddings of token ids where a forward pass looks them up, to change them or to derive by them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

Change = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class TokenLookup:
    """One lookup of the ids.

    Attributes:
        table: [ids, width], what the ids index.
        found: [..., width], the rows that the forward pass goes on with.
    """

    table: Tensor
    found: Tensor


class TokenLookups(TorchFunctionMode):
    """While active, hands the rows that `ids` index to `change`, and goes on with what it returns.

    `F.embedding` (and so `nn.Embedding`), `table[ids]` and `index_select` are seen, in modules and bare parameters
    alike; a product with one-hot vectors and TorchScript are not.

    Args:
        ids: integers, any shape; a lookup counts where its index has the same values in the same order.
        change: called with the rows found and the table, floating point both; a result of the same shape.

    Attributes:
        lookups: what was seen, in order.
    """

    def __init__(self, ids: Tensor, change: Change) -> None:
        super().__init__()
        self._ids = ids.detach().reshape(-1).to(torch.int64)
        self._turned = ids.detach().t().reshape(-1).to(torch.int64) if ids.dim() == 2 else self._ids
        self._change = change
        self.lookups: list[TokenLookup] = []

    def __torch_function__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the operation, and change its result where it looks the ids up."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        place = _find_lookup(func, args, kwargs)
        if place is None or not isinstance(result, Tensor) or not result.is_floating_point():
            return result
        index, table = place
        if not self._is_asked(index) or table.dim() != 2 or table.shape[-1] != result.shape[-1]:
            return result
        changed = self._change(result, table)
        self.lookups.append(TokenLookup(table.detach(), changed))
        return changed

    def _is_asked(self, index: Tensor) -> bool:
        if index.is_floating_point() or index.dtype is torch.bool or index.numel() != self._ids.numel():
            return False
        flat = index.detach().reshape(-1).to(self._ids.device, torch.int64)
        return torch.equal(flat, self._ids) or torch.equal(flat, self._turned)


def _find_lookup(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Tensor, Tensor] | None:
    """Index and table of a lookup."""
    if func is F.embedding:
        given = {**dict(zip(("input", "weight"), args, strict=False)), **kwargs}
        pair = (given.get("input"), given.get("weight"))
    elif func is Tensor.__getitem__ and len(args) == 2:
        pair = (args[1], args[0])
    elif func in (torch.index_select, Tensor.index_select) and len(args) == 3 and args[1] == 0:
        pair = (args[2], args[0])
    else:
        return None
    index, table = pair
    if not isinstance(index, Tensor) or not isinstance(table, Tensor):
        return None
    return index, table
