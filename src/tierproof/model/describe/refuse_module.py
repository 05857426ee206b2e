"""Refuse objects that cannot be checked as a model, before any of their code runs."""

from __future__ import annotations

from torch import nn

from tierproof.model.load.target import TargetError


def refuse_empty(model: object) -> None:
    """Refuse an object that is not an nn.Module, one that PyTorch cannot walk, and a module without parameters.

    Raises:
        TargetError: when it is one of the three.
    """
    if not isinstance(model, nn.Module):
        raise TargetError(
            f"cannot check {_name(model)}: it is not an instance of torch.nn.Module",
            hint=_advise(model),
        )
    _refuse_unhashable(model)
    if next(model.parameters(), None) is None:
        raise TargetError(
            f"{type(model).__name__} has no parameters, so there is nothing to check",
            hint="Assign the layers to `self` in `__init__`; keep several in an `nn.ModuleList`, not in a list.",
        )


def _refuse_unhashable(model: nn.Module) -> None:
    """Refuse a module whose class took its hash away: parameters(), eval() and to() keep modules in a set."""
    waiting, seen = [("", model)], {id(model)}
    while waiting:
        path, module = waiting.pop()
        if type(module).__hash__ is None:
            where = f" (`{path}`)" if path else ""
            raise TargetError(
                f"{type(module).__name__}{where} cannot be hashed, so PyTorch's parameters(), eval() and to() raise: "
                "its class defines `__eq__` and no `__hash__`",
                hint=f"Add `__hash__ = nn.Module.__hash__` to {type(module).__name__}, or remove its `__eq__`.",
            )
        for name, child in vars(module).get("_modules", {}).items():
            if isinstance(child, nn.Module) and id(child) not in seen:
                seen.add(id(child))
                waiting.append((f"{path}.{name}".lstrip("."), child))


def _name(model: object) -> str:
    return f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"


def _advise(model: object) -> str:
    if isinstance(model, type) and issubclass(model, nn.Module):
        return f"This is the class: build an instance first, as in `{model.__name__}(...)`."
    return 'Pass an instance of an nn.Module, or a TARGET such as "model.py:build_model".'


def refuse_cycle(model: nn.Module) -> None:
    """Refuse a module that is registered below itself, on which PyTorch's own eval() recurses without end.

    Raises:
        TargetError: naming both paths of the module.
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
            parent = f"`{paths[id(child)]}`" if paths[id(child)] else "the model itself"
            raise TargetError(
                f"`{path}` is the same module as {parent}, "
                "which contains it: train(), eval() and to() would recurse for ever",
                hint="Keep the reference back to the parent out of the registered modules, for instance as a weakref.",
            )
        if id(child) not in finished and next(child.children(), None) is not None:
            paths[id(child)] = path
            waiting.append((child, iter(child.named_children())))
