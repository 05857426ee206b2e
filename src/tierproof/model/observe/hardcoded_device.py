"""Read from a module's source whether a tensor in one of its attributes is put on a device that the code chooses."""

from __future__ import annotations

import ast
import inspect
import textwrap

from torch import nn

# Methods that put a tensor on the device in their arguments.
_MOVES = frozenset({"to", "cuda"})


def chooses_device(model: nn.Module, attribute: str) -> bool:
    """Whether the class that owns `attribute` (a dotted path) assigns it with a device of its own choice."""
    owner, _, name = attribute.rpartition(".")
    modules = dict(model.named_modules())
    name = name.partition("[")[0]
    while owner and owner not in modules:
        owner, _, name = owner.rpartition(".")
        name = name.partition("[")[0]
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(type(modules[owner]))))
    except (OSError, TypeError, SyntaxError, KeyError):
        return False  # without its source nothing is known
    return any(_assigns(node, name) and _names_device(node) for node in ast.walk(tree))


def _assigns(node: ast.AST, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    assigned = isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)
    return assigned and any(isinstance(target, ast.Attribute) and target.attr == name for target in targets)


def _names_device(node: ast.AST) -> bool:
    for call in ast.walk(node):
        if not isinstance(call, ast.Call):
            continue
        if any(keyword.arg == "device" for keyword in call.keywords):
            return True
        moves = isinstance(call.func, ast.Attribute) and call.func.attr in _MOVES
        if moves and any(not _is_dtype(argument) for argument in call.args):
            return True
    return False


def _is_dtype(argument: ast.expr) -> bool:
    return isinstance(argument, ast.Attribute) and argument.attr.startswith(
        ("float", "int", "bfloat", "bool", "dtype")
    )
