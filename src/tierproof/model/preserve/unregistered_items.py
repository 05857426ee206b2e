"""Find modules, parameters and tensors that a module holds without having registered them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

# Deeper nesting than a list of dicts of objects is bookkeeping, not a place for layers.
_MAX_DEPTH = 4
_MAX_ITEMS = 2_000
# What nn.Module keeps in its own `__dict__`; `_flat_weights` of RNNs are registered parameters again.
_INTERNAL = frozenset(vars(nn.Module())) | {"_flat_weights", "_flat_weight_refs", "_is_hf_initialized"}


@dataclass(frozen=True)
class HiddenItem:
    """A module, parameter or tensor reached through a plain attribute.

    Attributes:
        owner: path of the registered module that holds it.
        attribute: how it is reached from there, such as `blocks[0]` or `cache.keys['a']`.
        value: the object itself.
    """

    owner: str
    attribute: str
    value: nn.Module | Tensor

    @property
    def root_attribute(self) -> str:
        """The attribute of the owner through which it is reached."""
        return self.attribute.split("[")[0].split(".")[0]


def find_hidden_items(model: nn.Module) -> list[HiddenItem]:
    """Find modules, parameters and tensors in plain attributes of registered modules, up to a small depth.

    A second reference to a registered one is left out. Of an unregistered module only the module itself is listed,
    not its contents.
    """
    registered = {id(module) for module in model.modules()}
    known = {id(t) for t in model.parameters()} | {id(t) for t in model.buffers()}
    found: list[HiddenItem] = []
    seen: set[int] = set()
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if name in _INTERNAL:
                continue
            for attribute, item in _iterate_items(value, name, 0, seen):
                skip = registered if isinstance(item, nn.Module) else known
                if id(item) not in skip:
                    found.append(HiddenItem(path, attribute, item))
    return found


def iterate_hidden_tensors(model: nn.Module) -> Iterator[HiddenItem]:
    """The hidden items that are tensors but not parameters."""
    for item in find_hidden_items(model):
        if isinstance(item.value, Tensor) and not isinstance(item.value, nn.Parameter):
            yield item


def _iterate_items(value: Any, path: str, depth: int, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, nn.Module | Tensor):
        if id(value) not in seen:
            seen.add(id(value))
            yield path, value
        return
    if depth >= _MAX_DEPTH or id(value) in seen:
        return
    for key, child in _children(value):
        seen.add(id(value))
        yield from _iterate_items(child, f"{path}{key}", depth + 1, seen)


def _children(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(f"[{key!r}]", item) for key, item in list(value.items())[:_MAX_ITEMS]]
    if isinstance(value, list | tuple | set | frozenset) or type(value).__name__ == "deque":
        return [(f"[{index}]", item) for index, item in enumerate(list(value)[:_MAX_ITEMS])]
    if isinstance(value, type) or callable(value) or isinstance(value, torch.device | torch.dtype):
        return []
    if dataclasses.is_dataclass(value) or hasattr(value, "__dict__"):
        attributes = vars(value) if hasattr(value, "__dict__") else {}
        if type(value).__module__.partition(".")[0] in ("builtins", "torch", "re", "logging", "threading"):
            return []
        return [(f".{name}", item) for name, item in list(attributes.items())[:_MAX_ITEMS]]
    return []
