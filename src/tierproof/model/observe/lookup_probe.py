"""Watch in which tables a forward pass looks up its token ids and its positions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from tierproof.model.call.max_length import is_triangular_mask
from tierproof.model.observe.harmless import harmless


@dataclass
class Lookups:
    """The table lookups and masks that one forward pass was seen to use.

    Attributes:
        rows: for each watched argument, the sizes of the tables its ids were looked up in.
        position_rows: sizes of tables that were read at 0, 1, 2, … (learned positions).
        position_lengths: numbers of consecutive positions that were created or looked up.
        causal_attention: a fused attention was called with `is_causal=True`.
        triangular_masks: how many triangular masks were built or applied.
        tables: how many lookups in embedding tables were made, with any indices.
        failures: what could not be seen, because looking at an operation raised.
    """

    rows: dict[str, list[int]] = field(default_factory=dict)
    position_rows: list[int] = field(default_factory=list)
    position_lengths: list[int] = field(default_factory=list)
    causal_attention: bool = False
    triangular_masks: int = 0
    tables: int = 0
    failures: list[str] = field(default_factory=list)


class LookupProbe(TorchFunctionMode):
    """Watch the functional calls of a forward pass (embedding, indexing, one-hot, masks).

    It sees modules and bare parameters alike, because `F.embedding`, `Tensor.__getitem__` and fused attention all
    pass through the mode. It does not see inside traced modules and custom kernels.
    """

    def __init__(self, watched: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._watched = {name: ids for name, ids in watched.items() if not ids.is_floating_point()}
        self.lookups = Lookups(rows={name: [] for name in self._watched})

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is Tensor.__getitem__ and isinstance(args[1], list):
            # x[:, [0]] arrives here with its index as a list, which __getitem__ itself deprecates.
            args = (args[0], tuple(args[1]))
        with harmless(self.lookups.failures):
            self._see(func, args, kwargs)
        return func(*args, **kwargs)

    def _see(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if func is F.embedding:
            values = dict(zip(("input", "weight"), args, strict=False)) | kwargs
            self.lookups.tables += 1
            self._see_lookup(values["input"], values["weight"])
        elif func is Tensor.__getitem__ and isinstance(args[1], Tensor):
            self._see_lookup(args[1], args[0])
        elif func is torch.index_select and len(args) == 3 and args[1] == 0:
            self._see_lookup(args[2], args[0])
        elif func is F.one_hot:
            self._see_one_hot(args, kwargs)
        elif func is torch.arange:
            self._see_arange(args, kwargs)
        elif func in (torch.tril, torch.triu, Tensor.tril, Tensor.triu):
            self._see_triangle(args[0] if args else kwargs.get("input"))
        elif func in (torch.masked_fill, Tensor.masked_fill, Tensor.masked_fill_):
            self._see_filling(*args[1:3], **kwargs)
        elif func is F.scaled_dot_product_attention:
            self.lookups.causal_attention |= bool(kwargs.get("is_causal", len(args) > 5 and args[5]))

    def _see_triangle(self, made_of: Any) -> None:
        """Count a square one: a window of attention cuts other triangles off at its corners."""
        if isinstance(made_of, Tensor) and made_of.dim() >= 2 and made_of.shape[-1] == made_of.shape[-2]:
            self.lookups.triangular_masks += 1

    def _see_filling(self, mask: Any = None, value: Any = None) -> None:
        """Count a triangular mask that hides positions, however it was built: `i < j` is a triangle too."""
        hides = isinstance(value, int | float) and value < 0
        if hides and isinstance(mask, Tensor) and mask.dtype is torch.bool and is_triangular_mask(mask):
            self.lookups.triangular_masks += 1

    def _see_lookup(self, index: Any, table: Any) -> None:
        if not isinstance(index, Tensor) or index.dtype == torch.bool or index.is_floating_point():
            return
        if not isinstance(table, Tensor) or table.dim() < 1 or index.is_meta or index.numel() == 0:
            return
        for name, ids in self._watched.items():
            if index.numel() == ids.numel() and _same_values(index, ids):
                self.lookups.rows[name].append(table.shape[0])
                return
        flat = index.reshape(-1, index.shape[-1])[0] if index.dim() else index.reshape(-1)
        if flat.numel() > 1 and bool((flat[1:] - flat[:-1] == 1).all()):
            self.lookups.position_rows.append(table.shape[0])
            self.lookups.position_lengths.append(flat.numel())

    def _see_one_hot(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        classes = kwargs.get("num_classes", args[1] if len(args) > 1 else -1)
        for name, ids in self._watched.items():
            if args[0].numel() == ids.numel() and _same_values(args[0], ids) and classes > 0:
                self.lookups.rows[name].append(classes)

    def _see_arange(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        numbers = [*args, *(kwargs[k] for k in ("end",) if k in kwargs)]
        if numbers and all(isinstance(number, int) for number in numbers):
            start, end = (0, numbers[0]) if len(numbers) == 1 else numbers[:2]
            self.lookups.position_lengths.append(end - start)


def _same_values(index: Tensor, ids: Tensor) -> bool:
    flat = index.reshape(-1).to(ids.device, torch.int64)
    return torch.equal(flat, ids.reshape(-1).to(torch.int64)) or (
        index.dim() == ids.dim() == 2
        and torch.equal(index.t().reshape(-1).to(ids.device, torch.int64), ids.reshape(-1).to(torch.int64))
    )
