"""Recover the arguments that a model's class was built with, from what the instance keeps of them."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

# Attributes in which a model keeps all its arguments, by the names that people give them.
_HOLDERS = ("config", "cfg", "args", "hparams", "params", "options", "opt")
_MISSING = object()


def recover_arguments(model: nn.Module) -> tuple[tuple[Any, ...], dict[str, Any]] | str:
    """The arguments to build the class with again, or why they are not known.

    An argument is what the attribute of its name holds, or the entry of its name in a config; one that the instance
    does not show is left at its default. The caller compares what comes of them with the model.
    """
    try:
        parameters = inspect.signature(type(model)).parameters.values()
    except (TypeError, ValueError):
        return "the class has no readable signature"
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        value = _find_value(model, parameter.name)
        if value is _MISSING:
            if parameter.default is parameter.empty:
                return f"the class needs `{parameter.name}`, and the instance has no attribute of that name"
            value = parameter.default
        if parameter.kind is parameter.POSITIONAL_ONLY:
            positional.append(value)
        else:
            named[parameter.name] = value
    return tuple(positional), named


def find_assumed(model: nn.Module) -> list[str]:
    """The arguments that the instance does not show, so that they are taken to be at their defaults."""
    try:
        parameters = inspect.signature(type(model)).parameters.values()
    except (TypeError, ValueError):
        return []
    hidden = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.kind not in hidden and _find_value(model, p.name) is _MISSING]


def _find_value(model: nn.Module, name: str) -> Any:
    own = vars(model).get(name, _MISSING)
    if own is not _MISSING and not isinstance(own, Tensor | nn.Module):
        return copy.deepcopy(own)
    for holder in (vars(model).get(attribute) for attribute in _HOLDERS):
        if holder is None or isinstance(holder, nn.Module):
            continue
        if name == "config" or name in _HOLDERS:
            return copy.deepcopy(holder)
        entries = holder if isinstance(holder, Mapping) else getattr(holder, "__dict__", {})
        if name in entries:
            return copy.deepcopy(entries[name])
    return _MISSING
