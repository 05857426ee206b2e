"""The value of a Python expression, if it can be worked out without running code."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Callable, Mapping
from typing import Any

_MOST_ITEMS = 200
_LONGEST_TEXT = 20_000
_METHODS: Mapping[str, Callable[..., Any]] = {
    "join": lambda text, items: text.join(items),
    "split": lambda text, *given: text.split(*given),
    "splitlines": lambda text: text.splitlines(),
    "strip": lambda text, *given: text.strip(*given),
    "lower": lambda text: text.lower(),
    "replace": lambda text, old, new: text.replace(old, new),
    "format": lambda text, *given, **named: text.format(*given, **named),
}


class NotConstant(Exception):  # noqa: N818 - it is an answer
    """The value depends on what happens when the code runs."""


def evaluate(node: ast.AST, names: Mapping[str, Any]) -> Any:
    """Give the value of an expression of texts, numbers and lists of them; nothing is run.

    Args:
        node: the expression.
        names: values of variables.

    Raises:
        NotConstant: it depends on running the code.
    """
    try:
        value = _evaluate(node, names)
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise NotConstant(str(error)) from error
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        raise NotConstant("too long")
    return value


def _evaluate(node: ast.AST, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=str() | int() | float() | None as value):
            return value
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.Attribute(value=ast.Name(id="sys"), attr="executable"):
            return "python"
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return _evaluate_items(items, names)
        case ast.JoinedStr(values=parts):
            return "".join(_evaluate_part(part, names) for part in parts)
        case ast.Subscript(value=value, slice=ast.Constant(value=int(index))):
            return _evaluate(value, names)[index]
    return _evaluate_call(node, names)


def _evaluate_call(node: ast.AST, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _add(_evaluate(left, names), _evaluate(right, names))
        case ast.BinOp(left=left, op=ast.Mod(), right=right):
            template, given = _evaluate(left, names), _evaluate(right, names)
            return _take_text(template) % (tuple(given) if isinstance(given, list) else given)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="shlex"), attr="split"), args=[text]):
            return shlex.split(_take_text(_evaluate(text, names)))
        case ast.Call(func=ast.Attribute(value=text, attr=method), args=given, keywords=named) if (
            method in _METHODS
        ):
            return _METHODS[method](
                _take_text(_evaluate(text, names)),
                *(_evaluate(each, names) for each in given),
                **{each.arg: _evaluate(each.value, names) for each in named if each.arg},
            )
    raise NotConstant(type(node).__name__)


def _evaluate_items(items: list[ast.expr], names: Mapping[str, Any]) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if isinstance(item, ast.Starred):
            found += _evaluate(item.value, names)
        else:
            found.append(_evaluate(item, names))
    if len(found) > _MOST_ITEMS:
        raise NotConstant("too many items")
    return found


def _evaluate_part(part: ast.expr, names: Mapping[str, Any]) -> str:
    if isinstance(part, ast.FormattedValue):
        if part.format_spec is not None:
            raise NotConstant("a format")
        return str(_evaluate(part.value, names))
    return str(_evaluate(part, names))


def _add(left: Any, right: Any) -> Any:
    if type(left) is not type(right) or len(left) + len(right) > _LONGEST_TEXT:
        raise NotConstant("no text and no list")
    return left + right


def _take_text(value: Any) -> str:
    if not isinstance(value, str):
        raise NotConstant("no text")
    return value
