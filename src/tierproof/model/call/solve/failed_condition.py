"""Read the sizes out of a failed `assert` or of the `if` around a `raise`, with the variables of its frame."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from tierproof.model.call.solve.failed_place import FailedPlace, parse_file
from tierproof.model.call.solve.lesson import Lesson, MoreAxes, Multiple, Sizes

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_FUNCTIONS = {"len": len, "int": int, "min": min, "max": max, "tuple": tuple, "list": list}
_METHODS = ("size", "dim", "ndimension", "numel")


class UnreadableError(Exception):
    """An expression that cannot be read without running code."""


def read_condition(place: FailedPlace) -> list[Lesson]:
    """What the condition that failed at a place says of sizes and ranks; its code is read, never run."""
    tree = parse_file(place.path)
    condition = None if tree is None else _find_condition(tree, place.line)
    if condition is None:
        return []
    variables = {**place.frame.f_globals, **place.frame.f_locals}
    lessons: list[Lesson] = []
    for comparison in _iterate_comparisons(condition):
        lessons += _read_comparison(comparison, variables)
    return lessons


def _find_condition(tree: ast.Module, line: int) -> ast.expr | None:
    """The test of the assert at a line, or of the innermost `if` whose raise is at that line."""
    found: ast.expr | None = None
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert) and node.lineno <= line <= (node.end_lineno or node.lineno):
            return node.test
        if isinstance(node, ast.If):
            for statement in node.body:
                end = statement.end_lineno or statement.lineno
                if isinstance(statement, ast.Raise) and statement.lineno <= line <= end:
                    found = node.test
    return found


def _iterate_comparisons(test: ast.expr) -> Iterator[ast.Compare]:
    for node in ast.walk(test):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            yield node


def _read_comparison(node: ast.Compare, variables: Mapping[str, Any]) -> list[Lesson]:
    left, right = node.left, node.comparators[0]
    if isinstance(left, ast.BinOp) and isinstance(left.op, ast.Mod):
        try:
            size, step = evaluate(left.left, variables), evaluate(left.right, variables)
        except UnreadableError:
            return []
        return [Multiple(size, step)] if _is_size(size) and _is_size(step) and size % step else []
    try:
        got, want = evaluate(left, variables), evaluate(right, variables)
    except UnreadableError:
        return []
    if _is_size(got) and _is_size(want):
        if got == want:
            return []
        if _is_rank(left) or _is_rank(right):
            return [MoreAxes(want - got if _is_rank(left) else got - want)]
        close = [MoreAxes(want - got)] if max(got, want) < 7 and _counts_axes(left) else []
        return [Sizes(((got, want),)), Sizes(((want, got),)), *close]
    if isinstance(got, tuple | list) and isinstance(want, tuple | list) and len(got) == len(want):
        pairs = tuple(
            (g, w) for g, w in zip(got, want, strict=True) if _is_size(g) and _is_size(w) and g != w
        )
        return [Sizes(pairs), Sizes(tuple((w, g) for g, w in pairs))] if pairs else []
    return []


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_rank(node: ast.expr) -> bool:
    """Whether an expression is a number of axes: x.ndim, x.dim(), len(x.shape)."""
    text = ast.unparse(node)
    return text.endswith((".ndim", ".dim()", ".ndimension()", ".shape)", ".size())"))


def _counts_axes(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "len"


def evaluate(node: ast.expr, variables: Mapping[str, Any]) -> Any:  # noqa: C901, PLR0911, PLR0912 - one case for each form
    """The value of names, attributes, subscripts and arithmetic on them.

    Raises:
        UnreadableError: when it takes more than reading.
    """
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name) if name in variables:
            return variables[name]
        case ast.Attribute(value=holder, attr=name):
            owner = evaluate(holder, variables)
            if isinstance(owner, nn.Module | Tensor) or name in getattr(owner, "__dict__", {}):
                return getattr(owner, name, None)
        case ast.Subscript(value=holder, slice=index):
            return _take(evaluate(holder, variables), index, variables)
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return tuple(evaluate(element, variables) for element in elements)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -evaluate(operand, variables)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            try:
                return _OPERATORS[type(op)](evaluate(left, variables), evaluate(right, variables))
            except (ArithmeticError, TypeError) as error:
                raise UnreadableError from error
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
            value = evaluate(argument, variables)
            if isinstance(value, int | tuple | list | Tensor):
                return _FUNCTIONS[name](value)  # type: ignore[operator]
        case ast.Call(func=ast.Attribute(value=holder, attr=method), args=arguments) if method in _METHODS:
            tensor = evaluate(holder, variables)
            if isinstance(tensor, Tensor):
                return getattr(tensor, method)(*(evaluate(argument, variables) for argument in arguments))
    raise UnreadableError


def _take(owner: Any, index: ast.expr, variables: Mapping[str, Any]) -> Any:
    if not isinstance(owner, tuple | list | dict | nn.ModuleList):
        raise UnreadableError
    if isinstance(index, ast.Slice):
        parts = [
            None if p is None else evaluate(p, variables) for p in (index.lower, index.upper, index.step)
        ]
        return owner[slice(*parts)]
    try:
        return owner[evaluate(index, variables)]
    except (LookupError, TypeError) as error:
        raise UnreadableError from error
