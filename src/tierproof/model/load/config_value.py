"""Check that a value of a config.json has the type that its argument needs."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from tierproof.model.load.target import TargetError

_WORDS: dict[type, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "a list",
    tuple: "a list",
    dict: "an object",
}


def require_fit(value: Any, *, annotation: Any, default: Any, name: str, shown: str) -> Any:
    """Return `value` in the type that the argument takes, or raise.

    A value passes unchecked when its argument has neither an annotation nor a default of a plain type. A list
    becomes a tuple where the argument takes a tuple.

    Args:
        value: from the config.
        annotation: of the argument, resolved; `inspect.Parameter.empty` for none.
        default: of the argument; `inspect.Parameter.empty` for none.
        name: the key, for messages.
        shown: the config file, for messages.

    Raises:
        TargetError: when the value is of a wrong type.
    """
    expected = _expected_types(annotation) or _types_like(default)
    literals = typing.get_args(annotation) if typing.get_origin(annotation) is typing.Literal else ()
    if literals and value not in literals:
        listed = ", ".join(repr(item) for item in literals)
        raise TargetError(
            f"{shown}: {name} must be one of {listed}, not {value!r}", hint=f"Change `{name}` in the config."
        )
    if not expected or any(_fits(value, kind) for kind in expected):
        return tuple(value) if isinstance(value, list) and expected and list not in expected else value
    wanted = " or ".join(dict.fromkeys(_WORDS[kind] for kind in expected if kind in _WORDS))
    raise TargetError(
        f"{shown}: {name} must be {wanted}, not {value!r}", hint=f"Change `{name}` in the config."
    )


def _expected_types(annotation: Any) -> tuple[type, ...]:
    """The plain types an annotation allows; empty when it allows something that JSON types cannot tell."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        parts = [_expected_types(part) for part in typing.get_args(annotation)]
        return tuple(kind for part in parts for kind in part) if all(parts) else ()
    if annotation is type(None):
        return (type(None),)
    if origin in (list, Sequence):
        return (list,)
    if origin is tuple:
        return (tuple,)
    if origin in (dict, Mapping):
        return (dict,)
    return (annotation,) if isinstance(annotation, type) and annotation in _WORDS else ()


def _types_like(default: Any) -> tuple[type, ...]:
    """What may stand for an argument without annotation, by its default. Numbers stand for each other:
    `dropout=0` is given 0.1, `bias=True` is given 1."""
    if default is inspect.Parameter.empty or default is None:
        return ()
    if isinstance(default, bool | int | float):
        return (float, bool, type(None))
    if isinstance(default, str):
        return (str, type(None))
    if isinstance(default, list | tuple):
        return (list, int, type(None)) if isinstance(default, list) else (tuple, int, type(None))
    return ()


def _fits(value: Any, kind: type) -> bool:
    if kind is bool or kind is type(None):
        return isinstance(value, kind)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is tuple:
        return isinstance(value, list | tuple)
    return isinstance(value, kind)
