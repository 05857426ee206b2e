"""The argument names of a model's forward pass, read from its signature."""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import dataclass
from typing import TypeGuard

from torch import nn


@dataclass(frozen=True)
class ForwardSignature:
    """The names of the arguments of a forward pass.

    Attributes:
        required: must be passed, in order.
        optional: have a default. Of a forward that takes `**kwargs` alone, both are the keys that its source reads.
        variadic: `*args` is accepted and nothing else is required.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    variadic: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All parameter names in order: required ones first."""
        return self.required + self.optional

    def __contains__(self, name: str) -> bool:
        return name in self.names


def read_signature(model: nn.Module) -> ForwardSignature:
    """Read the forward signature; a module whose signature is hidden counts as variadic.

    A nn.Sequential forwards to its first child, so its one parameter is called `input`.
    """
    try:
        parameters = list(inspect.signature(model.forward).parameters.values())
    except (TypeError, ValueError):
        return ForwardSignature((), (), variadic=True)
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if len(parameters) == 1 and parameters[0].kind is parameters[0].VAR_KEYWORD:
        return _read_keywords(model, parameters[0].name)
    required = tuple(p.name for p in named if p.default is p.empty)
    optional = tuple(p.name for p in named if p.default is not p.empty)
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters) and not named
    return ForwardSignature(required, optional, variadic)


def _read_keywords(model: nn.Module, holder: str) -> ForwardSignature:
    """The keys that a forward reads of its `**kwargs`: by `[…]` and `pop(…)` they are required, by `get(…)` not."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(type(model).forward)))
    except (OSError, TypeError, SyntaxError):
        return ForwardSignature((), ())
    required: dict[str, None] = {}
    optional: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and _is_name(node.value, holder) and _is_text(node.slice):
            required[str(node.slice.value)] = None
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and _is_name(node.func.value, holder)
            and node.args
            and _is_text(node.args[0])
        ):
            needed = node.func.attr == "pop" and len(node.args) == 1
            (required if needed else optional)[str(node.args[0].value)] = None
    return ForwardSignature(tuple(required), tuple(name for name in optional if name not in required))


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_text(node: ast.expr) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
