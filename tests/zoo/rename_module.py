"""A built model under other names, of whichever library it is: at random, or chosen to mislead.

The source of a library's model is not ours to rewrite. Here its classes get subclasses of other names, its modules,
parameters and buffers other attributes, and its forward other arguments. What it computes stays the same.
"""

from __future__ import annotations

import inspect
import itertools
import random
import re
from collections.abc import Callable
from typing import Any

from torch import nn

from faultbench.rename import ARGUMENTS, ATTRIBUTES, CLASSES, FIXED, draw_name

_KEPT = ("_modules", "_parameters", "_buffers")
_count = itertools.count()


def rename_module(model: nn.Module, *, seed: int, mislead: bool) -> nn.Module:
    """Give a model, in place, other names.

    Args:
        seed: of the choice.
        mislead: names that say what is not so, instead of letters at random.
    """
    renaming = _Renaming(random.Random(seed), mislead=mislead)
    renaming.rename_parts(model)
    model.__class__ = renaming.rename_arguments(type(model))
    _rename_tied_keys(model, renaming.attributes)
    return model


class _Renaming:
    """The new names of one model's attributes, and its new classes, by the old ones."""

    def __init__(self, chance: random.Random, *, mislead: bool) -> None:
        self._chance = chance
        self._mislead = mislead
        self._classes: dict[type[nn.Module], type[nn.Module]] = {}
        self.attributes: dict[str, str] = {}

    def rename_parts(self, model: nn.Module) -> None:
        """Rename each module, parameter and buffer in the model, and each class that is not PyTorch's own."""
        for module in list(model.modules()):
            kind = type(module)
            if kind.__module__.startswith("torch."):
                continue
            for kept in _KEPT:
                held = module.__dict__[kept]
                module.__dict__[kept] = type(held)((self._rename(old), value) for old, value in held.items())
            unsaved = module._non_persistent_buffers_set
            module.__dict__["_non_persistent_buffers_set"] = {self._rename(old) for old in unsaved}
            if kind not in self._classes.values():
                if kind not in self._classes:
                    self._classes[kind] = self._define(kind, self._name_class(), self._list_members(kind))
                module.__class__ = self._classes[kind]

    def rename_arguments(self, kind: type[nn.Module]) -> type[nn.Module]:
        """A subclass whose forward takes the same arguments under other names."""
        taken = inspect.signature(kind.forward).parameters.values()
        named = [p.name for p in list(taken)[1:] if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        shift = self._chance.randrange(2)
        new = {
            name: ARGUMENTS[(place + shift) % len(ARGUMENTS)] + "_" * (place // len(ARGUMENTS))
            if self._mislead
            else draw_name((), self._chance, place, mislead=False)
            for place, name in enumerate(named)
        }
        members: dict[str, Any] = {"forward": _rename_forward(kind.forward, new)}
        main = getattr(kind, "main_input_name", None)
        if main in new:
            members["main_input_name"] = new[main]
        renamed = self._define(kind, kind.__name__, members)
        self._classes[renamed] = renamed
        return renamed

    def _name_class(self) -> str:
        return draw_name(CLASSES, self._chance, next(_count), mislead=self._mislead)

    def _define(self, kind: type[nn.Module], name: str, members: dict[str, Any]) -> type[nn.Module]:
        """A subclass that a pickle finds again, without the docstring, which tells the old names."""
        renamed = type(name, (kind,), {**members, "__module__": __name__, "__doc__": None})
        globals()[name] = renamed
        return renamed

    def _rename(self, old: str) -> str:
        if old in FIXED or old.isdigit() or old in self.attributes.values():
            return old
        if old not in self.attributes:
            count = len(self.attributes)
            self.attributes[old] = draw_name(ATTRIBUTES, self._chance, count, mislead=self._mislead)
        return self.attributes[old]

    def _list_members(self, kind: type[nn.Module]) -> dict[str, Any]:
        """How the class's own code finds its attributes, and how a fresh instance is renamed."""

        def find_name(module: nn.Module, name: str) -> str:
            new = self.attributes.get(name, name)
            return new if any(new in module.__dict__.get(kept, ()) for kept in _KEPT) else name

        def __init__(module: nn.Module, *args: Any, **kwargs: Any) -> None:
            kind.__init__(module, *args, **kwargs)
            self.rename_parts(module)

        def __getattr__(module: nn.Module, name: str) -> Any:
            return kind.__getattr__(module, find_name(module, name))

        def __setattr__(module: nn.Module, name: str, value: Any) -> None:
            if isinstance(value, nn.Module) and find_name(module, name) != name:
                self.rename_parts(value)  # a part that replaces another one on the way
            kind.__setattr__(module, find_name(module, name), value)

        def register_buffer(module: nn.Module, name: str, *args: Any, **kwargs: Any) -> None:
            kind.register_buffer(module, find_name(module, name), *args, **kwargs)

        __init__.__signature__ = inspect.signature(kind.__init__)  # type: ignore[attr-defined]
        return {f.__name__: f for f in (__init__, __getattr__, __setattr__, register_buffer)}


def _rename_forward(forward: Callable[..., Any], new: dict[str, str]) -> Callable[..., Any]:
    old = {renamed: name for name, renamed in new.items()}

    def renamed(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return forward(self, *args, **{old.get(name, name): value for name, value in kwargs.items()})

    signature = inspect.signature(forward)
    parameters = [p.replace(name=new.get(p.name, p.name)) for p in signature.parameters.values()]
    renamed.__name__ = "forward"
    renamed.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    renamed.__annotations__ = {p.name: p.annotation for p in parameters if p.annotation is not p.empty}
    return renamed


def _rename_tied_keys(model: nn.Module, attributes: dict[str, str]) -> None:
    """Transformers keeps the names of tied parameters beside the model."""
    for kept in ("_tied_weights_keys", "all_tied_weights_keys"):
        tied = getattr(model, kept, None)
        if isinstance(tied, dict):
            setattr(
                model,
                kept,
                {_rename_path(k, attributes): _rename_path(v, attributes) for k, v in tied.items()},
            )


def _rename_path(path: str, attributes: dict[str, str]) -> str:
    return re.sub(r"\w+", lambda found: attributes.get(found[0], found[0]), path)
