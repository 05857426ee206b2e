"""The model that a user gives: taken out of what wraps it, and refused where it is none, before its code runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from tierproof.model.load.target import TargetError

# Wrappers hold wrappers, as DataParallel of a compiled module; deeper than this is none that anybody writes.
_MOST_LAYERS = 5
# A class of the first name, defined below a package of the second, holds the model in the attribute of the third.
_WRAPPERS = (
    ("OptimizedModule", ("torch",), "_orig_mod"),
    ("DataParallel", ("torch",), "module"),
    ("DistributedDataParallel", ("torch",), "module"),
    ("FullyShardedDataParallel", ("torch",), "module"),
)
_LIGHTNING = ("lightning", "pytorch_lightning", "lightning_fabric")


@dataclass(frozen=True)
class Unwrapped:
    """What is to be checked, and what was taken off it, in words."""

    model: Any
    notes: tuple[str, ...] = ()


def unwrap_model(given: Any) -> Unwrapped:
    """Take off everything around the model; what is no known wrapper is given back as it is."""
    notes: list[str] = []
    for _ in range(_MOST_LAYERS):
        inner = _find_inner(given)
        if inner is None:
            break
        model, words = inner
        notes.append(
            f"{type(given).__name__} is a wrapper, so {words} was checked, which is a {type(model).__name__}"
        )
        given = model
    return Unwrapped(given, tuple(notes))


def _find_inner(given: Any) -> tuple[nn.Module, str] | None:
    """The module inside, and how it was found; None for a model that nothing wraps."""
    if isinstance(given, type):
        return None
    if not isinstance(given, nn.Module):
        inner = getattr(given, "model", None)
        return (inner, "its `model`") if isinstance(inner, nn.Module) else None
    for name, packages, attribute in _WRAPPERS:
        if _derives(given, name, packages):
            inner = getattr(given, attribute, None)
            return (inner, f"its `{attribute}`") if isinstance(inner, nn.Module) else None
    if _derives(given, "PeftModel", ("peft",)):
        inner = getattr(given, "get_base_model")()  # noqa: B009 - nn.Module types every attribute as a tensor
        return (inner, "its base model, together with its adapters,") if inner is not given else None
    if _derives(given, "LightningModule", _LIGHTNING):
        return _find_in_lightning(given)
    return None


def _find_in_lightning(given: nn.Module) -> tuple[nn.Module, str] | None:
    """The child that holds all parameters: `model` where there is one, else, without a forward, the only one."""
    holders = {name: child for name, child in given.named_children() if any(True for _ in child.parameters())}
    own = any(True for _ in given.parameters(recurse=False))
    if own or len(holders) != 1:
        return None
    (name, child), *_ = holders.items()
    if name != "model" and _has_forward(given):
        return None
    return child, f"its `{name}`"


def _has_forward(given: nn.Module) -> bool:
    """Whether a class of the user's defines the forward."""
    definer = next((kind for kind in type(given).__mro__ if "forward" in vars(kind)), nn.Module)
    return definer.__module__.partition(".")[0] not in (*_LIGHTNING, "torch")


def _derives(given: object, name: str, packages: tuple[str, ...]) -> bool:
    """Whether a class of that name and origin is among the classes of `given`; the package is not imported."""
    return any(
        kind.__name__ == name and kind.__module__.partition(".")[0] in packages
        for kind in type(given).__mro__
    )


def refuse_uncheckable(model: object) -> None:
    """Refuse what is no nn.Module, one that PyTorch cannot walk, one without parameters, and a distributed one.

    Raises:
        TargetError: when it is one of these.
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
    _refuse_distributed(model)


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


def _refuse_distributed(model: nn.Module) -> None:
    """Refuse a model whose parameters are spread over processes: a call of one process alone means nothing there."""
    for name, parameter in model.named_parameters():
        kind = type(parameter)
        value = type(parameter.data)
        if any(each.__module__.startswith("torch.distributed") for each in (kind, value)):
            raise TargetError(
                f"cannot check {type(model).__name__}: its parameter `{name}` is a {value.__name__}, which is "
                "distributed over processes",
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
                f"`{path}` is the same module as {parent}, which contains it, so train(), eval() and to() would "
                "recurse for ever",
                hint="Do not register the parent as a submodule of its child: store it as a weakref, for instance.",
            )
        if id(child) not in finished and next(child.children(), None) is not None:
            paths[id(child)] = path
            waiting.append((child, iter(child.named_children())))
