"""Find the model inside what it is handed over in: a pipeline, a Lightning module, an adapter, a parallel wrapper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

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
            f"{type(given).__name__} is a wrapper: {words} was checked, a module of the class {type(model).__name__}"
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
        return (inner, "its base model, with the adapters in it,") if inner is not given else None
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
