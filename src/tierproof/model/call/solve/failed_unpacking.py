"""Read from a failed `b, c, h, w = x.shape` how many axes the tensor has, and how many it should have."""

from __future__ import annotations

import ast

from torch import Tensor

from tierproof.model.call.solve.failed_condition import UnreadableError, evaluate
from tierproof.model.call.solve.failed_place import FailedPlace, parse_file
from tierproof.model.call.solve.lesson import Lesson, MoreAxes


def read_unpacking(place: FailedPlace) -> list[Lesson]:
    """How many more axes the tensor at this line needs; empty where the line unpacks no shape.

    The tensor is often not the input itself: what holds for both is the difference.
    """
    tree = parse_file(place.path)
    if tree is None:
        return []
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=value) if (
                node.lineno <= place.line <= (node.end_lineno or node.lineno)
            ):
                holder, skipped = _find_tensor(value)
                axes = None if holder is None else _count_axes(holder, place)
                if axes is None or any(isinstance(name, ast.Starred) for name in names):
                    return []
                more = len(names) + skipped - axes
                return [MoreAxes(more)] if more else []
    return []


def _find_tensor(value: ast.expr) -> tuple[ast.expr | None, int]:
    """The tensor whose shape an expression gives, and how many of its first axes are left out."""
    match value:
        case ast.Subscript(
            value=inner, slice=ast.Slice(lower=ast.Constant(value=int(first)), upper=None, step=None)
        ):
            holder, _ = _find_tensor(inner)
            return holder, first
        case ast.Attribute(value=holder, attr="shape"):
            return holder, 0
        case ast.Call(func=ast.Attribute(value=holder, attr="size"), args=[], keywords=[]):
            return holder, 0
    return None, 0


def _count_axes(holder: ast.expr, place: FailedPlace) -> int | None:
    try:
        tensor = evaluate(holder, {**place.frame.f_globals, **place.frame.f_locals})
    except UnreadableError:
        return None
    return tensor.dim() if isinstance(tensor, Tensor) else None
