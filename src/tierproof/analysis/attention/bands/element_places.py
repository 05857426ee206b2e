"""Follow where each element of a rearranged tensor came from, so that scores in bands or blocks can be put in order.

Beside each tensor goes one of integers of the same shape, on which the same views, copies and assignments are made.
The elements of a tensor that is first seen are numbered; a product of two such tensors gives a pair of numbers to
each score: of a row of either operand.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from tierproof.model.observe.tensor_product import PRODUCTS, Operand, TensorProduct, read_product

NOWHERE = -1
"""The number of an element that came from no row: padding, or a constant."""
HALF = 31
"""Bits of one number of a pair."""
_ENTRY = (1 << HALF) - 1
_MOVING = frozenset(
    {"transpose", "permute", "view", "reshape", "contiguous", "unsqueeze", "squeeze", "expand", "expand_as", "clone",
     "flatten", "unflatten", "chunk", "split", "tensor_split", "unbind", "__getitem__", "cat", "concat", "stack",
     "repeat", "repeat_interleave", "narrow", "select", "movedim", "swapaxes", "swapdims", "view_as", "mT", "T",
     "detach", "index_select", "roll", "flip", "gather", "take_along_dim", "unfold", "as_strided", "pad"}
)  # fmt: skip
_CHANGING = frozenset(
    {"add", "add_", "__add__", "__radd__", "__iadd__", "sub", "sub_", "__sub__", "__isub__", "rsub", "__rsub__",
     "mul", "mul_", "__mul__", "__rmul__", "__imul__", "multiply", "div", "div_", "__truediv__", "__itruediv__",
     "true_divide", "divide", "to", "float", "half", "bfloat16", "double", "type", "type_as", "dropout",
     "masked_fill", "masked_fill_", "where", "clamp", "clip", "neg", "__neg__", "tril", "triu", "nan_to_num"}
)  # fmt: skip
_REFUSALS = (RuntimeError, TypeError, ValueError, IndexError)


@dataclass(frozen=True, eq=False)
class Places:
    """Where the elements of one tensor came from.

    Attributes:
        numbers: int64, of the tensor's shape: of an element, or of a pair of rows (first << 31 | second).
        pairs: which of the two.
    """

    numbers: Tensor
    pairs: bool = False


@dataclass(frozen=True)
class Origin:
    """A tensor whose elements were numbered, from `start` on, in the order of its axes."""

    start: int
    shape: tuple[int, ...]


@dataclass
class ElementPlaces:
    """The places of the tensors that are alive, and the tensors in which the numbers began."""

    origins: list[Origin] = field(default_factory=list)
    _known: dict[int, tuple[weakref.ref[Tensor], Places]] = field(default_factory=dict)

    def find(self, value: Any) -> Places | None:
        """The places of a tensor; None if they are not known."""
        if not isinstance(value, Tensor):
            return None
        found = self._known.get(id(value))
        return found[1] if found is not None and found[0]() is value else None

    def follow(
        self,
        func: Callable[..., Any],
        name: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        result: Any,
    ) -> None:
        """Do with the numbers what an operation did with the values; what cannot be followed has no places."""
        try:
            if name == "__setitem__":
                self._assign(args)
            elif name in PRODUCTS:
                self._pair(read_product(name, args, kwargs), result)
            elif name in _MOVING:
                self._move(func, name, args, kwargs, result)
            elif name in _CHANGING:
                self._change(args, result)
        except _REFUSALS:
            self._forget(result)

    def _move(
        self,
        func: Callable[..., Any],
        name: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        result: Any,
    ) -> None:
        tensors = [each for each in _list_tensors(args) if each.is_floating_point()]
        known = [places for places in map(self.find, tensors) if places is not None]
        if not known and args and isinstance(args[0], Tensor) and args[0].is_floating_point():
            known = [self._begin(args[0])]
        pairs = any(places.pairs for places in known)
        numbers = [self._swap(each, pairs=pairs) for each in args]
        if name == "pad":
            if kwargs.get("mode", args[2] if len(args) > 2 else "constant") != "constant":
                return
            padding = args[1] if len(args) > 1 else kwargs["pad"]
            moved = torch.nn.functional.pad(numbers[0], padding, "constant", NOWHERE)
        elif name == "as_strided" and not _lie_alike(args[0], numbers[0]):
            return
        else:
            moved = func(*numbers, **kwargs)
        for tensor, each in zip(_list_tensors((result,)), _list_tensors((moved,)), strict=True):
            if tensor.shape == each.shape:
                self._set(tensor, Places(each, pairs))

    def _swap(self, value: Any, *, pairs: bool) -> Any:
        """An argument with numbers in place of values; tensors in a list that have none came from nowhere."""
        if isinstance(value, list | tuple):
            return type(value)(
                self._swap(each, pairs=pairs)
                if not isinstance(each, Tensor) or not each.is_floating_point()
                else self._numbers_or_nowhere(each, pairs=pairs)
                for each in value
            )
        places = self.find(value)
        return value if places is None else places.numbers

    def _numbers_or_nowhere(self, tensor: Tensor, *, pairs: bool) -> Tensor:
        places = self.find(tensor)
        if places is not None and places.pairs == pairs:
            return places.numbers
        return torch.full_like(tensor, NOWHERE, dtype=torch.int64)

    def _change(self, args: tuple[Any, ...], result: Any) -> None:
        """New values in the same places: factors, masks and biases change none."""
        if not isinstance(result, Tensor):
            return
        in_place = next((each for each in args[:1] if each is result), None)
        if in_place is not None and self.find(in_place) is not None:
            return
        known = [places for places in map(self.find, _list_tensors(args)) if places is not None]
        known = [places for places in known if places.pairs] or known
        same = known and all(
            places.numbers is known[0].numbers or torch.equal(places.numbers, known[0].numbers)
            for places in known
        )
        if not same:
            self._forget(result)
            return
        if known[0].pairs or known[0].numbers.shape == result.shape:
            numbers = torch.empty_like(result, dtype=torch.int64).copy_(known[0].numbers)
            self._set(result, Places(numbers, known[0].pairs))

    def _assign(self, args: tuple[Any, ...]) -> None:
        target, index, value = args[:3]
        places, own = self.find(value), self.find(target)
        if places is None and own is None:
            return
        if own is None or (places is not None and places.pairs != own.pairs):
            own = Places(torch.full_like(target, NOWHERE, dtype=torch.int64), bool(places and places.pairs))
            self._set(target, own)
        if places is not None:
            own.numbers[index] = places.numbers
        elif not own.pairs:
            own.numbers[index] = NOWHERE

    def _pair(self, product: TensorProduct | None, result: Tensor) -> None:
        if product is None:
            return
        rows = [self._number_rows(operand, result.dim()) for operand in (product.first, product.second)]
        first, second = (each for each in rows if each is not None) if None not in rows else (None, None)
        if first is None or second is None:
            return
        known = (first >= 0) & (second >= 0)
        numbers = torch.where(known, (first << HALF) | second, NOWHERE)
        if numbers.shape == result.shape:
            self._set(result, Places(numbers, pairs=True))

    def _number_rows(self, operand: Operand, axes: int) -> Tensor | None:
        """The number of each row that is multiplied, placed as in the product; None where rows are not whole."""
        places = self.find(operand.tensor)
        if places is None or places.pairs:
            return None
        kept = [axis for axis in range(operand.tensor.dim()) if axis not in operand.summed]
        kept.sort(key=lambda axis: operand.placed[axis])
        rows = places.numbers.permute(*kept, *operand.summed).flatten(len(kept))
        first = rows[..., 0]
        whole = (rows >= 0).all(-1)
        if not bool(whole.any()):
            return None
        steps = rows[whole] - first[whole][:, None]
        if not bool((steps == steps[0]).all()):
            return None
        shape = [1] * axes
        for axis in kept:
            shape[operand.placed[axis]] = operand.tensor.shape[axis]
        return torch.where(whole, first, NOWHERE).reshape(shape)

    def _begin(self, tensor: Tensor) -> Places:
        """Number the elements of a tensor that is seen for the first time."""
        start = self.origins[-1].start + _count(self.origins[-1].shape) if self.origins else 0
        if start + tensor.numel() > _ENTRY:
            raise ValueError("too many elements to number")
        self.origins.append(Origin(start, tuple(tensor.shape)))
        numbers = torch.arange(start, start + tensor.numel(), device=tensor.device).reshape(tensor.shape)
        places = Places(torch.empty_like(tensor, dtype=torch.int64).copy_(numbers))
        self._set(tensor, places)
        return places

    def _set(self, tensor: Tensor, places: Places) -> None:
        identity, known = id(tensor), self._known

        def forget(reference: weakref.ref[Tensor]) -> None:
            if identity in known and known[identity][0] is reference:
                del known[identity]

        self._known[identity] = (weakref.ref(tensor, forget), places)

    def _forget(self, result: Any) -> None:
        for tensor in _list_tensors((result,)):
            self._known.pop(id(tensor), None)


def _lie_alike(tensor: Tensor, numbers: Tensor) -> bool:
    """Whether the numbers lie in memory as the values do."""
    return tensor.stride() == numbers.stride() and tensor.storage_offset() == numbers.storage_offset()


def _list_tensors(values: tuple[Any, ...]) -> list[Tensor]:
    flat = (each for value in values for each in (value if isinstance(value, list | tuple) else (value,)))
    return [each for each in flat if isinstance(each, Tensor)]


def _count(shape: tuple[int, ...]) -> int:
    return torch.Size(shape).numel()
