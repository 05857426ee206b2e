"""Refuse objects that cannot be checked as a model, before any of their code runs."""

from __future__ import annotations

from torch import nn

from tierproof.model.load.target import TargetError


def refuse_uncheckable(model: object) -> None:
    """Refuse an object that is not an nn.Module, a module without parameters, and one distributed over processes.

    Raises:
        TargetError: when it is one of these.
    """
    if not isinstance(model, nn.Module):
        raise TargetError(
            f"cannot check {_name(model)}: it is not an instance of torch.nn.Module",
            hint=_advise(model),
        )
    if next(model.parameters(), None) is None:
        raise TargetError(
            f"{type(model).__name__} has no parameters, so there is nothing to check",
            hint="Assign the layers to `self` in `__init__`; keep several in an `nn.ModuleList`, not in a list.",
        )
    _refuse_distributed(model)


def _refuse_distributed(model: nn.Module) -> None:
    """Refuse a model whose parameters are spread over processes: a call of one process alone means nothing there."""
    for name, parameter in model.named_parameters():
        kind = type(parameter)
        value = type(parameter.data)
        if any(each.__module__.startswith("torch.distributed") for each in (kind, value)):
            raise TargetError(
                f"the parameter `{name}` of {type(model).__name__} is a {value.__name__}, distributed over processes",
                hint="Check the model before it is distributed (`fully_shard`, `distribute_module`, "
                "`parallelize_module`).",
            )


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
