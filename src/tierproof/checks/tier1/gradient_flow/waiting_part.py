"""Whether a part that a forward pass left out is called on another path of the code: with memories, in training."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable

from torch import nn

_ENTRY = "forward"


def waits_for_another_path(model: nn.Module, entered: Iterable[str], path: str) -> bool:
    """Whether the forward of the module that owns an unused part names it, so that some call may reach it.

    A part that was forgotten is named nowhere but where it is made. What the forward calls by `self` is read as well;
    in a ModuleDict the part is named by its key.

    Args:
        entered: paths of the modules that ran.
        path: of the part, or of something in it.
    """
    ran = set(entered) | {""}
    parts = path.split(".")
    owned = next(count for count in range(len(parts) - 1, -1, -1) if ".".join(parts[:count]) in ran)
    holder = model.get_submodule(".".join(parts[:owned]))
    named = _read_names(type(holder))
    for name in parts[owned:]:
        if not isinstance(holder, nn.ModuleList | nn.Sequential) and name not in named:
            return False
        holder = holder.get_submodule(name)
        if not isinstance(holder, nn.ModuleList | nn.ModuleDict):
            break
    return True


def _read_names(kind: type) -> set[str]:
    """Attributes that are read, and texts, in the forward of a class and in the methods it calls."""
    found: set[str] = set()
    waiting, seen = [_ENTRY], {_ENTRY}
    while waiting:
        names = _read_method(kind, waiting.pop())
        found |= names
        following = {name for name in names if inspect.isfunction(getattr(kind, name, None))} - seen
        seen |= following
        waiting += sorted(following)
    return found


def _read_method(kind: type, name: str) -> set[str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(getattr(kind, name))))
    except (OSError, TypeError, SyntaxError, AttributeError):
        return set()  # without its source nothing is known
    reader = _NameReader(tree)
    reader.visit(tree)
    return reader.found


class _NameReader(ast.NodeVisitor):
    """Collects the attributes that code reads, and its texts.

    What stands behind a condition on neither an argument nor a variable of the code is left out: no call changes such
    a condition, so what it left out this time it always leaves out.
    """

    def __init__(self, tree: ast.AST) -> None:
        self.found: set[str] = set()
        nodes = list(ast.walk(tree))
        self._known = {n.arg for n in nodes if isinstance(n, ast.arg)}
        self._known |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}

    def visit_If(self, node: ast.If) -> None:
        """Read both branches where a call may choose."""
        self._read_choice(node, node.test)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        """Read both values where a call may choose."""
        self._read_choice(node, node.test)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Note an attribute that is read."""
        if isinstance(node.ctx, ast.Load):
            self.found.add(node.attr)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Note a text, which may be a key."""
        if isinstance(node.value, str):
            self.found.add(node.value)

    def _read_choice(self, node: ast.AST, test: ast.AST) -> None:
        if {n.id for n in ast.walk(test) if isinstance(n, ast.Name)} & self._known:
            self.generic_visit(node)
        else:
            self.visit(test)
