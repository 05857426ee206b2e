"""List what a step can reach by name: what it closes over, its globals, its defaults, and the attributes of `self`."""

from __future__ import annotations

import argparse
import functools
import sys
import types
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data.dataloader import _BaseDataLoaderIter

_MOST_VALUES, _MOST_DEPTH, _MOST_ITEMS = 5_000, 5, 64
_PLAIN = (
    int,
    float,
    complex,
    str,
    bytes,
    bool,
    type(None),
    Tensor,
    torch.dtype,
    torch.device,
    type,
    types.ModuleType,
)
_CODE = (
    types.MethodType,
    types.BuiltinMethodType,
    types.FunctionType,
    types.GeneratorType,
    functools.partial,
)
# Their insides are searched by what they are, not by attribute.
_LEAVES = (nn.Module, torch.optim.Optimizer)
# What exec() defines in a bare namespace says that it comes from builtins.
_OWN_ROOTS = (frozenset({"torch", "numpy", "tierproof"}) | sys.stdlib_module_names) - {"__main__", "builtins"}
# Objects of the standard library that hold what the user puts in.
_HOLDERS = (types.SimpleNamespace, argparse.Namespace)


@dataclass(frozen=True, slots=True)
class NamedValue:
    """A value and where it was found: `opt`, `self.optimizer`, `state['ema']`."""

    name: str
    place: str
    value: Any


@dataclass
class ReachableNames:
    """What a step reaches.

    Attributes:
        values: in the order of a breadth-first search; each object once.
        globals: (namespace, names) of the global variables that the step and its helpers use.
    """

    values: list[NamedValue] = field(default_factory=list)
    globals: list[tuple[dict[str, Any], frozenset[str]]] = field(default_factory=list)


def list_named_values(step: Callable[..., Any]) -> ReachableNames:
    """Search a step breadth first, and the user's own functions and objects that it names."""
    found = ReachableNames()
    seen: set[int] = set()
    waiting: deque[tuple[str, str, Any, int]] = deque([("", "the step", step, 0)])
    while waiting and len(seen) < _MOST_VALUES:
        name, place, value, depth = waiting.popleft()
        if id(value) in seen or isinstance(value, _PLAIN):
            continue
        seen.add(id(value))
        if name:
            found.values.append(NamedValue(name, place, value))
        if depth < _MOST_DEPTH:
            waiting.extend(
                (inner, where, item, depth + 1)
                for inner, where, item in _look_into(name, place, value, found)
            )
    return found


def list_one_way(step: Callable[..., Any]) -> tuple[str, ...]:
    """The names of what a step may take items from and cannot give them back to: generators and iterators."""
    return tuple(
        each.name
        for each in list_named_values(step).values
        if isinstance(each.value, Iterator)
        and (isinstance(each.value, _BaseDataLoaderIter) or not hasattr(each.value, "__dict__"))
    )


def _look_into(name: str, place: str, value: Any, found: ReachableNames) -> Iterator[tuple[str, str, Any]]:
    if isinstance(value, _CODE):
        yield from _look_into_code(name, place, value, found)
    elif isinstance(value, dict):
        items = list(value.items())[:_MOST_ITEMS]
        yield from ((f"{name}[{key!r}]" if name else str(key), place, item) for key, item in items)
    elif isinstance(value, list | tuple):
        yield from ((f"{name}[{i}]", place, item) for i, item in enumerate(value[:_MOST_ITEMS]))
    elif isinstance(value, _LEAVES) and name != "self":
        return
    elif not name or isinstance(value, _HOLDERS) or not _is_foreign(type(value).__module__):
        # Without a name it is the step itself, and that may be one that the audit made.
        yield from _look_into_object(name, place, value)


def _look_into_code(
    name: str, place: str, value: Any, found: ReachableNames
) -> Iterator[tuple[str, str, Any]]:
    if isinstance(value, types.MethodType):
        yield "self", "self", value.__self__
        yield name, place, value.__func__
    elif isinstance(value, types.BuiltinMethodType):
        if not isinstance(value.__self__, types.ModuleType):  # `generator.send`
            yield name or "self", place, value.__self__
    elif isinstance(value, functools.partial):
        yield name, place, value.func
        yield from ((f"argument {i}", "an argument", item) for i, item in enumerate(value.args))
        yield from ((key, "an argument", item) for key, item in value.keywords.items())
    elif isinstance(value, types.GeneratorType):
        if value.gi_frame is not None and not _is_foreign(value.gi_frame.f_globals.get("__name__")):
            yield from ((key, "a generator", item) for key, item in value.gi_frame.f_locals.items())
            yield from _look_into_globals(value.gi_code, value.gi_frame.f_globals, found)
    elif not _is_foreign(value.__module__):
        yield from _look_into_function(value, found)
    elif hasattr(value, "__wrapped__"):
        yield name, place, value.__wrapped__


def _look_into_object(name: str, place: str, value: Any) -> Iterator[tuple[str, str, Any]]:
    attributes = getattr(value, "__dict__", {})
    prefix = f"{name}." if name else "self."
    yield from ((f"{prefix}{key}", place if name else "self", item) for key, item in list(attributes.items()))
    if isinstance(value, nn.Module):  # a LightningModule keeps its model among its children
        yield from ((f"{prefix}{key}", "self", item) for key, item in value.named_children())
    call = getattr(type(value), "__call__", None)  # noqa: B004 - its function is searched, not asked for
    if isinstance(call, types.FunctionType):
        yield name, place, call


def _look_into_function(
    function: types.FunctionType, found: ReachableNames
) -> Iterator[tuple[str, str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, "the closure of the step", cell.cell_contents
        except ValueError:  # not filled yet
            continue
    for name, value in zip(
        function.__code__.co_varnames[-len(function.__defaults__ or ()) :],
        function.__defaults__ or (),
        strict=False,
    ):
        yield name, "a default of the step", value
    yield from (
        (name, "a default of the step", value) for name, value in (function.__kwdefaults__ or {}).items()
    )
    yield from _look_into_globals(function.__code__, function.__globals__, found)


def _look_into_globals(
    code: types.CodeType, namespace: dict[str, Any], found: ReachableNames
) -> Iterator[tuple[str, str, Any]]:
    names = frozenset(_list_names(code)) & namespace.keys()
    found.globals.append((namespace, names))
    yield from ((name, "the step's globals", namespace[name]) for name in sorted(names))


def _list_names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _list_names(constant)


def _is_foreign(module: str | None) -> bool:
    return str(module).partition(".")[0] in _OWN_ROOTS
