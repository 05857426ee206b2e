"""The value of a Python expression, if it can be worked out without running code."""

from __future__ import annotations

import ast
import operator
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from tierproof.images.lists.hosted_service import HostedService
from tierproof.images.read.host_value import NOTHING, evaluate_on_host

# Among the names: the current folder, which `os.getcwd()` gives.
CURRENT_FOLDER = "os.getcwd()"
_MOST_ITEMS = 200
_LONGEST_TEXT = 20_000
_LONGEST_MATCHED = 20  # of text that an expression of the notebook is matched with: some take for ever
_METHODS: Mapping[str, Callable[..., Any]] = {
    "join": lambda text, items: text.join(items),
    "split": lambda text, *given: text.split(*given),
    "splitlines": lambda text: text.splitlines(),
    "strip": lambda text, *given: text.strip(*given),
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "replace": lambda text, old, new: text.replace(old, new),
    "format": lambda text, *given, **named: text.format(*given, **named),
    "startswith": lambda text, start: text.startswith(tuple(start) if isinstance(start, list) else start),
    "endswith": lambda text, end: text.endswith(tuple(end) if isinstance(end, list) else end),
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: lambda left, right: left is right,
    ast.IsNot: lambda left, right: left is not right,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}
_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "str": str,
    "int": int,
    "bool": bool,
    "len": len,
    "list": list,
    "tuple": list,
    "dict": dict,
    "sorted": sorted,
}


class NotConstant(Exception):  # noqa: N818 - it is an answer
    """The value depends on what happens when the code runs."""


def evaluate(node: ast.AST, names: Mapping[str, Any], host: HostedService | None = None) -> Any:
    """Give the value of an expression of texts, numbers, lists and tables of them; nothing is run.

    Args:
        node: the expression.
        names: values of variables.
        host: the machine that it would run on.

    Raises:
        NotConstant: it depends on running the code.
    """
    try:
        value = _Evaluator(names, host or HostedService()).evaluate(node)
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise NotConstant(str(error)) from error
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        raise NotConstant("too long")
    return value


def decide(test: ast.expr, names: Mapping[str, Any], host: HostedService) -> bool | None:
    """Tell whether a condition holds; None if it depends on running the code."""
    try:
        return bool(evaluate(test, names, host))
    except NotConstant:
        return None


class _Evaluator:
    def __init__(self, names: Mapping[str, Any], host: HostedService) -> None:
        self._names = names
        self._host = host

    def evaluate(self, node: ast.AST) -> Any:
        known = evaluate_on_host(node, self._host, self.evaluate)
        if known is not NOTHING:
            return known
        match node:
            case ast.Constant(value=str() | int() | float() | None as value):
                return value
            case ast.Name(id=name) if name in self._names:
                return self._names[name]
            case ast.Attribute(value=ast.Name(id="sys"), attr="executable"):
                return "python"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="os"), attr="getcwd"), args=[]) if (
                CURRENT_FOLDER in self._names
            ):
                return self._names[CURRENT_FOLDER]
        return self._evaluate_group(node)

    def _evaluate_group(self, node: ast.AST) -> Any:
        match node:
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
                return self._evaluate_items(items)
            case ast.Dict(keys=keys, values=values):
                return {
                    self.evaluate(key): self.evaluate(value)
                    for key, value in zip(keys, values, strict=True)
                    if key is not None
                }
            case ast.JoinedStr(values=parts):
                return "".join(self._evaluate_part(part) for part in parts)
            case ast.Subscript(value=value, slice=ast.Slice(lower=lower, upper=upper, step=None)):
                start, end = (None if each is None else self.evaluate(each) for each in (lower, upper))
                return self.evaluate(value)[start:end]
            case ast.Subscript(value=value, slice=index):
                return self.evaluate(value)[self.evaluate(index)]
        return self._evaluate_logic(node)

    def _evaluate_logic(self, node: ast.AST) -> Any:
        match node:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not self.evaluate(operand)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.evaluate(operand)
            case ast.BoolOp(op=op, values=values):
                return self._evaluate_chain(values, stop_at=isinstance(op, ast.Or))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.evaluate(body if self.evaluate(test) else orelse)
            case ast.Compare(left=left, ops=ops, comparators=rest):
                values = [self.evaluate(each) for each in (left, *rest)]
                return all(_COMPARISONS[type(op)](values[at], values[at + 1]) for at, op in enumerate(ops))
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return _add(self.evaluate(left), self.evaluate(right))
            case ast.BinOp(left=left, op=ast.Mod(), right=right):
                template, given = self.evaluate(left), self.evaluate(right)
                return _take_text(template) % (tuple(given) if isinstance(given, list) else given)
            case ast.Call():
                return self._evaluate_call(node)
        raise NotConstant(type(node).__name__)

    def _evaluate_chain(self, values: list[ast.expr], *, stop_at: bool) -> Any:
        """Evaluate `and` and `or`: one value that settles it is enough, whatever the others are."""
        found, unknown = [], False
        for value in values:
            try:
                found.append(self.evaluate(value))
            except NotConstant:
                unknown = True
                continue
            if bool(found[-1]) is stop_at:
                return found[-1]
        if unknown:
            raise NotConstant("a part of the condition")
        return found[-1]

    def _evaluate_call(self, node: ast.Call) -> Any:
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="shlex"), attr="split"), args=[text]):
                return shlex.split(_take_text(self.evaluate(text)))
            case ast.Call(func=ast.Name(id=name), args=[value], keywords=[]) if name in _CONVERSIONS:
                return _CONVERSIONS[name](self.evaluate(value))
            case ast.Call(
                func=ast.Attribute(
                    value=ast.Call(
                        func=ast.Attribute(value=ast.Name(id="re"), attr="match" | "search" as method),
                        args=[pattern, text],
                    ),
                    attr="group",
                ),
                args=groups,
            ):
                told = _take_text(self.evaluate(text))
                if len(told) > _LONGEST_MATCHED:
                    raise NotConstant("too long to be matched")
                match = getattr(re, method)(_take_text(self.evaluate(pattern)), told)
                return match.group(*(self.evaluate(group) for group in groups))
            case ast.Call(func=ast.Attribute(value=owner, attr="get"), args=[key, *default]):
                table = self.evaluate(owner)
                if not isinstance(table, dict):
                    raise NotConstant("no table")
                known = self.evaluate(key)
                return table[known] if known in table or not default else self.evaluate(default[0])
            case ast.Call(func=ast.Attribute(value=text, attr=method), args=given, keywords=named) if (
                method in _METHODS
            ):
                return _METHODS[method](
                    _take_text(self.evaluate(text)),
                    *(self.evaluate(each) for each in given),
                    **{each.arg: self.evaluate(each.value) for each in named if each.arg},
                )
        raise NotConstant("a call")

    def _evaluate_items(self, items: list[ast.expr]) -> list[Any]:
        found: list[Any] = []
        for item in items:
            if isinstance(item, ast.Starred):
                found += self.evaluate(item.value)
            else:
                found.append(self.evaluate(item))
        if len(found) > _MOST_ITEMS:
            raise NotConstant("too many items")
        return found

    def _evaluate_part(self, part: ast.expr) -> str:
        if isinstance(part, ast.FormattedValue):
            if part.format_spec is not None:
                raise NotConstant("a format")
            return str(self.evaluate(part.value))
        return str(self.evaluate(part))


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left + right
    if type(left) is not type(right) or len(left) + len(right) > _LONGEST_TEXT:
        raise NotConstant("no text and no list")
    return left + right


def _take_text(value: Any) -> str:
    if not isinstance(value, str):
        raise NotConstant("no text")
    return value
