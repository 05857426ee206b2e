"""Choose the class or function in a Python module that builds the model."""

from __future__ import annotations

import difflib
import inspect
from types import ModuleType

from torch import nn

from tierproof.model.load.target import TargetError

_PREFERRED = ("build_model", "Model")


def choose_entry(module: ModuleType, name: str, shown: str) -> object:
    """Return the object called `name`; without a name, the one to build the model from.

    Without a name: `build_model`, else `Model`, else the only nn.Module subclass defined in that file.

    Args:
        module: the loaded module.
        name: dotted name within it; empty when it is to be found.
        shown: the module as the user wrote it, for messages.

    Raises:
        TargetError: when there is no such name, none that fits, or several.
    """
    if name:
        return _look_up(module, name, shown)
    for preferred in _PREFERRED:
        if callable(entry := getattr(module, preferred, None)):
            return entry
    candidates = find_candidates(module)
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        instances = [key for key, value in vars(module).items() if isinstance(value, nn.Module)]
        named = f" (for its module object {instances[0]!r} write {shown}:{instances[0]})" if instances else ""
        raise TargetError(
            f"{shown} defines no build_model, no Model and no nn.Module subclass{named}",
            hint=f"Add a function `build_model()` that returns the module, or name the model: {shown}:NAME.",
        )
    listed = ", ".join(f"{item.__name__}{_line(item)}" for item in candidates)
    raise TargetError(
        f"{shown} defines {len(candidates)} nn.Module subclasses: {listed}",
        hint=f"Name the one to check, for instance {shown}:{candidates[-1].__name__}, or add `build_model()`.",
    )


def find_candidates(module: ModuleType) -> list[type[nn.Module]]:
    """The nn.Module subclasses that this file defines (not those it imports), in order of definition."""
    found: list[type[nn.Module]] = []
    for value in vars(module).values():
        if not isinstance(value, type) or value.__module__ != module.__name__ or value in found:
            continue
        if issubclass(value, nn.Module):
            found.append(value)
    return found


def _look_up(module: ModuleType, name: str, shown: str) -> object:
    found: object = module
    for part in name.split("."):
        if not hasattr(found, part):
            names = [key for key in vars(module) if not key.startswith("_")]
            close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
            candidates = close or [item.__name__ for item in find_candidates(module)]
            raise TargetError(
                f"{shown} does not define {name!r}",
                hint=f"Use a name that it defines: {', '.join(candidates)}."
                if candidates
                else "Check the spelling.",
            )
        found = getattr(found, part)
    return found


def _line(defined: type) -> str:
    try:
        return f" (line {inspect.getsourcelines(defined)[1]})"
    except (OSError, TypeError):  # no source, or a module that is not registered
        return ""
