"""Register the layers that a model holds in plain attributes, for as long as its other properties are judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tierproof.model.preserve.unregistered_items import find_hidden_items

# A hidden layer may hide layers itself; deeper than this is no model that anybody writes.
_MOST_ROUNDS = 4


@dataclass(frozen=True)
class HiddenLayer:
    """A plain attribute that holds layers, and the registered container that stands in for it.

    Attributes:
        owner: path of the module that holds the attribute.
        holder: that module.
        attribute: its name.
        plain: the list, tuple, dict or module, as the model's code put it there.
        registered: what is registered under the name instead.
        modes: each layer with its training flag, as the model came.
    """

    owner: str
    holder: nn.Module
    attribute: str
    plain: Any
    registered: nn.Module
    modes: tuple[tuple[nn.Module, bool], ...]

    def register(self) -> None:
        """Let the model's code find the registered container."""
        vars(self.holder).pop(self.attribute, None)
        self.holder._modules[self.attribute] = self.registered

    def hide(self) -> None:
        """Put the plain attribute back."""
        self.holder._modules.pop(self.attribute, None)
        vars(self.holder)[self.attribute] = self.plain


@dataclass(frozen=True)
class HiddenLayers:
    """The plain attributes of a model that hold layers which its forward pass calls; empty for a sound model."""

    layers: tuple[HiddenLayer, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.layers)

    @property
    def owner(self) -> str:
        """Path of the module that hides the first of them."""
        return self.layers[0].owner if self.layers else ""

    def register(self) -> None:
        """Let the model's code find the registered containers, all of them."""
        for layer in self.layers:
            layer.register()

    def hide(self) -> None:
        """Make the model as it was written."""
        for layer in reversed(self.layers):
            layer.hide()

    @contextmanager
    def as_written(self) -> Iterator[None]:
        """Context manager in which the model is as it was written, with the hidden layers' own training flags."""
        own = [pair for layer in self.layers for pair in layer.modes]
        present = [(module, module.training) for module, _ in own]
        self.hide()
        _set_modes(own)
        try:
            yield
        finally:
            _set_modes(present)
            self.register()


def _set_modes(modes: Iterable[tuple[nn.Module, bool]]) -> None:
    for module, training in modes:
        module.training = training


def register_hidden_layers(model: nn.Module, run: Callable[[], object]) -> HiddenLayers:
    """Register the layers in plain attributes that a forward pass calls, and say which they are.

    Lists, tuples and dicts (by text) of modules, and single modules, are registered. Where the forward pass then
    raises, because its code wants a real list, for instance, nothing is changed.

    Args:
        run: runs the model once.
    """
    found: list[HiddenLayer] = []
    for _ in range(_MOST_ROUNDS):
        new = _find_called(_find_candidates(model), run)
        if not new:
            break
        for layer in new:
            layer.register()
        found += new
    hidden = HiddenLayers(tuple(found))
    if not hidden:
        return hidden
    try:
        run()
    except Exception:  # noqa: BLE001 - the model's code needs the plain attribute: it is judged as it is
        hidden.hide()
        return HiddenLayers()
    return hidden


def _find_candidates(model: nn.Module) -> list[HiddenLayer]:
    modules = dict(model.named_modules())
    places = dict.fromkeys(
        (item.owner, item.root_attribute)
        for item in find_hidden_items(model)
        if isinstance(item.value, nn.Module)
    )
    candidates = []
    for owner, attribute in places:
        holder = modules[owner]
        plain = vars(holder).get(attribute)
        registered = _enclose(plain, ancestors=holder)
        if registered is None or attribute in holder._modules or "." in attribute:
            continue
        wrapped = not isinstance(plain, nn.Module)
        if wrapped:
            registered.training = holder.training
        inner = list(registered.modules())[1 if wrapped else 0 :]
        modes = tuple((module, module.training) for module in inner)
        candidates.append(HiddenLayer(owner, holder, attribute, plain, registered, modes))
    return candidates


def _enclose(plain: Any, *, ancestors: nn.Module) -> nn.Module | None:
    """A registered container with the same modules; None where the attribute holds anything else."""
    if isinstance(plain, nn.Module):
        container: nn.Module = plain
        parts: list[nn.Module] = [plain]
    elif type(plain) in (list, tuple) and all(isinstance(item, nn.Module) for item in plain):
        container, parts = nn.ModuleList(plain), list(plain)
    elif type(plain) is dict and all(
        isinstance(key, str) and isinstance(item, nn.Module) for key, item in plain.items()
    ):
        try:
            container, parts = nn.ModuleDict(plain), list(plain.values())
        except (KeyError, TypeError):  # a key with a dot, or the name of a method
            return None
    else:
        return None
    holds_itself = any(ancestors is inner for part in parts for inner in part.modules())
    return None if holds_itself else container


def _find_called(candidates: list[HiddenLayer], run: Callable[[], object]) -> list[HiddenLayer]:
    """Those of which a forward pass calls at least one module."""
    if not candidates:
        return []
    called: set[int] = set()

    def note(place: int) -> Callable[..., None]:
        return lambda *_: called.add(place)

    handles = [
        part.register_forward_pre_hook(note(place))
        for place, layer in enumerate(candidates)
        for part in layer.registered.modules()
        if not isinstance(part, torch.jit.ScriptModule)  # calls no hooks
    ]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return [layer for place, layer in enumerate(candidates) if place in called]
