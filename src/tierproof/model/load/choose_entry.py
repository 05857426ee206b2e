"""Choose the class or function in a Python module that builds the model."""

from __future__ import annotations

import ast
import difflib
import inspect
from collections.abc import Iterator
from types import ModuleType

from torch import nn

from tierproof.model.load.target import TargetError

_PREFERRED = ("build_model", "Model")


def choose_entry(module: ModuleType, name: str, shown: str) -> object:
    """Return the object called `name`; without a name, the one to build the model from.

    Without a name: `build_model`, else `Model`, else the only nn.Module subclass defined in that file, else
    the only one that the others do not build or extend (see `describe_choice`).

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
    outermost = _find_outermost(module, candidates)
    if len(outermost) == 1:
        return outermost[0]
    if not candidates:
        instances = [key for key, value in vars(module).items() if isinstance(value, nn.Module)]
        named = f" (for its module object {instances[0]!r} write {shown}:{instances[0]})" if instances else ""
        raise TargetError(
            f"{shown} defines no build_model, no Model and no nn.Module subclass{named}",
            hint=f"Add a function `build_model()` that returns the module, or name the model: {shown}:NAME.",
        )
    suggested = (outermost or candidates)[-1].__name__
    listed = ", ".join(f"{item.__name__}{_line(item)}" for item in candidates)
    raise TargetError(
        f"{shown} defines {len(candidates)} nn.Module subclasses: {listed}",
        hint=f"Name the one to check, for instance {shown}:{suggested}, or add `build_model()`.",
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


def describe_choice(module: ModuleType, name: str, entry: object) -> tuple[str, ...]:
    """What was assumed in choosing `entry` without a name; nothing where there was only one thing to choose."""
    candidates = find_candidates(module)
    if name or entry not in candidates or len(candidates) == 1:
        return ()
    chosen = getattr(entry, "__name__", "")
    if chosen in _PREFERRED:
        return ()
    return (
        f"{chosen} was checked, the only one of the file's {len(candidates)} classes that no other class uses",
    )


def _find_outermost(module: ModuleType, candidates: list[type[nn.Module]]) -> list[type[nn.Module]]:
    """The classes that no other class of the file names in its methods, and none extends."""
    names = {item.__name__ for item in candidates}
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError):
        return candidates
    inner: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            inner |= (_find_named(node, tree) & names) - {node.name}
    return [item for item in candidates if item.__name__ not in inner]


def _find_named(defined: ast.ClassDef, tree: ast.Module) -> set[str]:
    """The names that a class uses to extend or build others, also through functions and tables of the file."""
    helpers = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    tables = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found: set[str] = set()
    waiting: list[ast.AST] = [*defined.bases, *defined.body]
    while waiting:
        for node in _walk_code(waiting.pop()):
            if isinstance(node, ast.Name) and node.id not in found:
                found.add(node.id)
                waiting += [part for part in (helpers.get(node.id), tables.get(node.id)) if part is not None]
    return found


def _walk_code(root: ast.AST) -> Iterator[ast.AST]:
    """The nodes below `root`, without annotations: to name a class there is not to build it."""
    yield root
    for field, value in ast.iter_fields(root):
        if field in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _walk_code(child)


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
