"""Read what a product of two tensors (matmul, bmm, baddbmm, einsum) sums over, from the arguments of its call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

PRODUCTS = frozenset({"matmul", "__matmul__", "bmm", "baddbmm", "einsum"})


@dataclass(frozen=True, eq=False)
class Operand:
    """One of the two tensors of a product.

    Attributes:
        tensor: the operand.
        summed: its axes that the product sums over.
        rest: its axes that the other operand lacks; the remaining ones, such as batch and heads, are shared.
        placed: for each of its axes, the axis of the product where it lands; −1 for those summed over.
    """

    tensor: Tensor
    summed: tuple[int, ...]
    rest: tuple[int, ...]
    placed: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class TensorProduct:
    """A product of two tensors, times a plain factor."""

    first: Operand
    second: Operand
    factor: float = 1.0


def read_product(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> TensorProduct | None:
    """Read the call of a function in `PRODUCTS`; None if it is not a product of two tensors that sums over axes.

    Args:
        name: the function's name.
        args: its positional arguments.
        kwargs: its keyword arguments.
    """
    if name == "einsum":
        return _read_einsum(args)
    factor = float(kwargs.get("alpha", 1.0))
    pair = args[1:3] if name == "baddbmm" else args[:2]
    if name == "baddbmm" and "batch1" in kwargs:
        pair = (kwargs["batch1"], kwargs["batch2"])
    if len(pair) != 2 or not all(isinstance(value, Tensor) and value.dim() >= 2 for value in pair):
        return None
    first, second = pair
    axes = max(first.dim(), second.dim())
    lead = [tuple(range(axes - each.dim(), axes - 2)) for each in pair]
    return TensorProduct(
        Operand(first, (first.dim() - 1,), (first.dim() - 2,), (*lead[0], axes - 2, -1)),
        Operand(second, (second.dim() - 2,), (second.dim() - 1,), (*lead[1], -1, axes - 1)),
        factor,
    )


def _read_einsum(args: tuple[Any, ...]) -> TensorProduct | None:
    operands = args[1] if len(args) == 2 and isinstance(args[1], list | tuple) else args[1:]
    if not args or not isinstance(args[0], str) or len(operands) != 2 or "->" not in args[0]:
        return None
    left, output = args[0].replace(" ", "").split("->")
    *names, output = _spell_ellipsis([*left.split(","), output], [operand.dim() for operand in operands])
    if len(names) != 2 or any(len(n) != t.dim() for n, t in zip(names, operands, strict=True)):
        return None
    summed = [letter for letter in names[0] if letter in names[1] and letter not in output]
    if not summed:
        return None
    first, second = (
        Operand(
            tensor,
            tuple(name.index(letter) for letter in summed),
            tuple(axis for axis, letter in enumerate(name) if letter not in other),
            tuple(output.find(letter) for letter in name),
        )
        for tensor, name, other in zip(operands, names, reversed(names), strict=True)
    )
    return TensorProduct(first, second)


def _spell_ellipsis(names: list[str], axes: list[int]) -> list[str]:
    """Letters in place of the dots of an equation; those of the last axes are the same in each operand."""
    free = [letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if not any(letter in name for name in names)]
    counts = [size - len(name) + 3 for name, size in zip(names, axes, strict=False) if "..." in name]
    most = max(counts, default=0)
    if not 0 <= most <= len(free):
        return names
    spelled = []
    for at, name in enumerate(names):
        count = most if at >= len(axes) else axes[at] - len(name) + 3
        spelled.append(name.replace("...", "".join(free[most - count : most])))
    return spelled
