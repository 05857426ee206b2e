"""Refuse what cannot be checked as a model before anything of it runs."""

from __future__ import annotations

from torch import nn

from tierproof.errors import TargetError


def refuse_empty(model: object) -> None:
    """Refuse what is no module, and a module without parameters.

    Raises:
        TargetError: saying which of the two it is.
    """
    if not isinstance(model, nn.Module):
        raise TargetError(
            f"cannot check a {type(model).__name__}: it is no torch.nn.Module",
            hint="Give an instance of an nn.Module, not a class or a function.",
        )
    if next(model.parameters(), None) is None:
        raise TargetError(
            f"{type(model).__name__} has no parameters: there is nothing to check",
            hint="Layers must be assigned to self in __init__; those in a plain list are not registered.",
        )


def refuse_cycle(model: nn.Module) -> None:
    """Refuse a module that is registered somewhere below itself: PyTorch's own eval() never ends on it.

    Raises:
        TargetError: naming the two ends of the cycle.
    """
    paths: dict[int, str] = {id(model): ""}
    finished: set[int] = set()
    waiting = [(model, iter(model.named_children()))]
    while waiting:
        module, children = waiting[-1]
        name, child = next(children, ("", None))
        if child is None:
            waiting.pop()
            del paths[id(module)]
            finished.add(id(module))
            continue
        path = f"{paths[id(module)]}.{name}".lstrip(".")
        if id(child) in paths:
            raise TargetError(
                f"{path} is {paths[id(child)] or 'the model itself'}: a module that is registered below itself makes "
                "train(), eval() and to() recur without end",
                hint="Keep such a reference out of the registered modules: in a list, or as a weakref.",
            )
        if id(child) not in finished and next(child.children(), None) is not None:
            paths[id(child)] = path
            waiting.append((child, iter(child.named_children())))
