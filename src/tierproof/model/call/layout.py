"""How the tensors of a call are packed into its parameters: states as tuples, lists of images, dicts of features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

Layout = Mapping[str, Any]


@dataclass(frozen=True)
class Slot:
    """The place of one tensor argument inside a list, tuple or dict."""

    name: str


@dataclass(frozen=True)
class SizeSlot:
    """The place of a plain integer that is a size of the call: "batch", "length" or "target_length"."""

    size: str


def unpack_value(name: str, value: Any) -> tuple[Any, dict[str, Tensor]]:
    """Split a value into a template with slots, and its tensors by a dotted name (`hidden.0`)."""
    if isinstance(value, Tensor):
        return Slot(name), {name: value}
    tensors: dict[str, Tensor] = {}

    def visit(key: object, item: Any) -> Any:
        template, found = unpack_value(f"{name}.{key}", item)
        tensors.update(found)
        return template

    if isinstance(value, Mapping):
        return {key: visit(key, item) for key, item in value.items()}, tensors
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(
            *(visit(key, item) for key, item in zip(value._fields, value, strict=True))
        ), tensors
    if isinstance(value, list | tuple):
        return type(value)(visit(index, item) for index, item in enumerate(value)), tensors
    return value, {}


def fill_template(template: Any, values: Mapping[str, Any]) -> Any:
    """Put the values into their slots; what is no slot stays as it is."""
    if isinstance(template, Slot):
        return values[template.name]
    if isinstance(template, SizeSlot):
        return values[template.size]
    if isinstance(template, Mapping):
        return {key: fill_template(item, values) for key, item in template.items()}
    if isinstance(template, tuple) and hasattr(template, "_fields"):
        return type(template)(*(fill_template(item, values) for item in template))
    if isinstance(template, list | tuple):
        return type(template)(fill_template(item, values) for item in template)
    return template


def fill_sizes(template: Any, sizes: Mapping[str, int]) -> Any:
    """Put the sizes of one call into a template, and leave the slots of tensors."""
    if isinstance(template, Slot):
        return template
    if isinstance(template, Mapping):
        return {key: fill_sizes(item, sizes) for key, item in template.items()}
    if isinstance(template, tuple) and hasattr(template, "_fields"):
        return type(template)(*(fill_sizes(item, sizes) for item in template))
    if isinstance(template, list | tuple):
        return type(template)(fill_sizes(item, sizes) for item in template)
    return sizes[template.size] if isinstance(template, SizeSlot) else template


def iterate_slots(template: Any) -> Iterator[str]:
    """The names of the tensors that a template holds."""
    if isinstance(template, Slot):
        yield template.name
    elif isinstance(template, Mapping):
        for item in template.values():
            yield from iterate_slots(item)
    elif isinstance(template, list | tuple):
        for item in template:
            yield from iterate_slots(item)
