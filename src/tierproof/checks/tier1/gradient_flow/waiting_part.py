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
    nodes = list(ast.walk(tree))
    read = {n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load)}
    return read | {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
