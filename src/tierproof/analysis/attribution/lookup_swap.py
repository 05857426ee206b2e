"""Find where a forward pass looks its token ids up, and put other vectors in place of what it finds there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

# Beyond this no table begins its ids anew: an offset leaves room for a few tokens only.
_LARGEST_SHIFT = 64


@dataclass(frozen=True)
class Lookup:
    """One lookup of an argument's ids.

    Attributes:
        argument: whose ids they are.
        order: among the lookups of that argument's ids, from 0.
        found: what the lookup gave, with one vector (one-hot or embedded) for each index.
        positions: for each index the position in the flattened ids, −1 for what the model added itself.
        batch_axis: of `found`, as far as one row shows.
        rows: of the table.
        look_up: gives the vectors of other ids, one for each.
    """

    argument: str
    order: int
    found: Tensor
    positions: Tensor
    batch_axis: int
    rows: int
    look_up: Callable[[Tensor], Tensor]


class LookupSwap(TorchFunctionMode):
    """While active, notes every lookup of the watched ids, and replaces what some of them give.

    `F.embedding`, indexing, `index_select` and `one_hot` pass through a mode of torch functions, in modules and out
    of them. Traced modules and custom kernels do not.

    Args:
        watched: the very tensors that the model is called with, by argument.
        swaps: the vectors that a lookup is to give, by argument and order.
        batch_axes: the axis of the batch in each watched tensor; 0 where it has none.
    """

    def __init__(
        self,
        watched: Mapping[str, Tensor],
        swaps: Mapping[tuple[str, int], Tensor] | None = None,
        batch_axes: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        self._watched = {name: (ids, ids.detach().clone()) for name, ids in watched.items()}
        self._swaps = swaps or {}
        self._batch_axes = batch_axes or {}
        self._counts = dict.fromkeys(watched, 0)
        self.lookups: list[Lookup] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the operation; where it looks watched ids up, give what stands in for its result."""
        kwargs = dict(kwargs or {})
        if func is Tensor.__getitem__ and isinstance(args[1], list):
            args = (args[0], tuple(args[1]))  # deprecated by __getitem__ itself
        result = func(*args, **kwargs)
        read = _read_lookup(func, args, kwargs)
        if read is None or not isinstance(result, Tensor):
            return result
        index, again, rows = read
        name, shift = self._find_owner(index)
        if not name:
            return result
        order = self._counts[name]
        self._counts[name] += 1
        swap = self._swaps.get((name, order))
        if swap is not None:
            return swap.to(result.device) if func is F.one_hot else swap.to(result)
        if not self._swaps:
            self._note(name, order, index, shift, result, again, rows)
        return result

    def _note(
        self,
        name: str,
        order: int,
        index: Tensor,
        shift: int,
        result: Tensor,
        again: Callable[[Tensor], Tensor],
        rows: int,
    ) -> None:
        ids = self._watched[name][1]
        if result.dim() != index.dim() + 1:
            return
        axis = self._batch_axes.get(name, 0)
        turned = index.dim() == ids.dim() == 2 and index.shape != ids.shape and index.shape == ids.t().shape
        self.lookups.append(
            Lookup(
                argument=name,
                order=order,
                found=result.detach().clone(),
                positions=_place(index, ids, turned=turned),
                batch_axis=(1 - axis if turned else axis) if index.dim() == ids.dim() else 0,
                rows=rows - shift,
                look_up=lambda others: again(others.to(index) + shift).detach(),
            )
        )

    def _find_owner(self, index: Tensor) -> tuple[str, int]:
        """The argument whose ids an index holds, and what was added to them; ("", 0) where it is none."""
        if index.is_meta or index.dtype == torch.bool or index.is_floating_point() or index.numel() == 0:
            return "", 0
        flat = index.detach()
        for name, (ids, _) in self._watched.items():
            if _share_storage(flat, ids) and flat.numel() == ids.numel():
                return name, 0
        for name, (_, values) in self._watched.items():
            shift = _match(flat, values)
            if shift is not None:
                return name, shift
        return "", 0


def _read_lookup(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Tensor, Callable[[Tensor], Tensor], int] | None:
    """The index of a lookup, a function that looks other indices up in the same place, and how many there are."""
    if func is F.embedding:
        given = dict(zip(("input", "weight"), args, strict=False)) | kwargs
        index, table = given["input"], given["weight"]
        return index, lambda other: F.embedding(other, table), table.shape[0]
    if func is F.one_hot:
        index = args[0] if args else kwargs["tensor"]
        classes = kwargs.get("num_classes", args[1] if len(args) > 1 else -1)
        return (index, lambda other: F.one_hot(other, classes), classes) if classes > 0 else None
    if func is Tensor.__getitem__ and isinstance(args[1], Tensor) and args[0].dim() == 2:
        table = args[0]
        usable = table.is_floating_point() and args[1].dtype != torch.bool
        return (args[1], lambda other: table[other], table.shape[0]) if usable else None
    if func is torch.index_select and len(args) == 3 and args[1] == 0 and args[0].dim() == 2:
        table = args[0]
        return args[2], lambda other: table[other], table.shape[0]
    return None


def _share_storage(one: Tensor, other: Tensor) -> bool:
    return one.numel() > 0 and one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


def _match(index: Tensor, ids: Tensor) -> int | None:
    """By what an index differs from the ids everywhere; None where it holds something else.

    The model may have flattened, turned or padded the ids, or added an offset to each.
    """
    index = index.to(ids.device, torch.int64)
    ids = ids.to(torch.int64)
    if index.numel() == ids.numel():
        difference = index.reshape(-1) - ids.reshape(-1)
        if index.dim() == ids.dim() == 2 and bool((difference != difference[0]).any()):
            difference = index.t().reshape(-1) - ids.reshape(-1)
    elif index.dim() == ids.dim() and index.shape[:-1] == ids.shape[:-1] and index.shape[-1] > ids.shape[-1]:
        difference = (index[..., : ids.shape[-1]] - ids).reshape(-1)
    else:
        return None
    shift = int(difference[0])
    few = ids.numel() < 3 or bool((ids.reshape(-1) == ids.reshape(-1)[0]).all())
    if bool((difference != shift).any()) or (shift and (few or not 0 < shift <= _LARGEST_SHIFT)):
        return None
    return shift


def _place(index: Tensor, ids: Tensor, *, turned: bool) -> Tensor:
    """For each index the position in the flattened ids that it is of, −1 for one that the model added."""
    positions = torch.arange(ids.numel(), device=index.device)
    if turned:
        return positions.reshape(ids.shape).t()
    if index.numel() == ids.numel():
        return positions.reshape(index.shape)
    placed = torch.full(index.shape, -1, device=index.device)
    placed[..., : ids.shape[-1]] = positions.reshape(ids.shape)
    return placed
