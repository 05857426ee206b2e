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

    A part that was forgotten is named nowhere but where it is made. What the forward calls by `self` is read as well.

    Args:
        entered: paths of the modules that ran.
        path: of the part, or of something in it.
    """
    ran = set(entered)
    owner, _, attribute = path.rpartition(".")
    while owner and owner not in ran:
        owner, _, attribute = owner.rpartition(".")
    return attribute in _read_names(type(model.get_submodule(owner)))


def _read_names(kind: type) -> set[str]:
    """Attributes that are read in the forward of a class, and in the methods it calls."""
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
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
