"""List the numbers, texts and tensors that a step keeps for itself, such as the number of the step."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.training.audit.parts.named_values import NamedValue, list_named_values

Plain = int | float | str | Tensor | tuple[Tensor, ...] | None


@dataclass(frozen=True, slots=True)
class PlainVariable:
    """One variable: `iter_num`, `self.step`, `state['count']`.

    Attributes:
        name: as the step's code has it.
        value: when it was read.
        write: sets it.
    """

    name: str
    value: Plain
    write: Callable[[Any], None]


def list_plain_variables(step: Callable[..., Any]) -> dict[str, PlainVariable]:
    """By name: global variables, variables of closures, attributes and items of the objects that a step reaches.

    Parts that have a `state_dict` of their own are left out.
    """
    found: dict[str, PlainVariable] = {}
    reached = list_named_values(step)
    for namespace, names in reached.globals:
        for name in sorted(names):
            _add(found, name, namespace.get(name), partial(namespace.__setitem__, name))
    for each in (NamedValue("self", "the step", step), *reached.values):
        for name, value, write in _list_inside(each.name, each.value):
            _add(found, name, value, write)
    return found


def list_changed(first: dict[str, PlainVariable], second: dict[str, PlainVariable]) -> tuple[str, ...]:
    """The names of the variables that differ between two readings."""
    return tuple(
        name for name, each in second.items() if name in first and not _equal(first[name].value, each.value)
    )


def _add(found: dict[str, PlainVariable], name: str, value: Any, write: Callable[[Any], None]) -> None:
    if name in found:
        return
    if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
        value = value.detach().clone()  # such as a batch that was fetched ahead
    elif isinstance(value, tuple) and value and all(isinstance(each, Tensor) for each in value):
        value = tuple(each.detach().clone() for each in value)  # such as the state of a recurrent network
    elif value is not None and not isinstance(value, int | float | str):
        return
    found[name] = PlainVariable(name, value, write)


def _equal(first: Plain, second: Plain) -> bool:
    if isinstance(first, Tensor) or isinstance(second, Tensor):
        return isinstance(first, Tensor) and isinstance(second, Tensor) and torch.equal(first, second)
    if isinstance(first, tuple) and isinstance(second, tuple):
        return len(first) == len(second) and all(map(torch.equal, first, second))
    return first == second


def _list_inside(name: str, value: Any) -> Iterator[tuple[str, Any, Callable[[Any], None]]]:
    if isinstance(value, types.FunctionType):
        for inner, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            try:
                yield inner, cell.cell_contents, partial(setattr, cell, "cell_contents")
            except ValueError:  # not filled yet
                continue
    elif isinstance(value, dict):
        for key, item in list(value.items()):
            yield f"{name}[{key!r}]", item, partial(value.__setitem__, key)
    elif hasattr(value, "state_dict") or isinstance(value, type | nn.Module | torch.optim.Optimizer):
        return
    else:
        for key, item in list(getattr(value, "__dict__", {}).items()):
            yield f"{name}.{key}", item, partial(setattr, value, key)
