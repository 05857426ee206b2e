"""Turn a config.json into the arguments of a model's class or `build_model`."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tierproof.model.load.build_module import parameters_of
from tierproof.model.load.config_object import ConfigObject
from tierproof.model.load.target import TargetError
from tierproof.model.load.user_error import explain_user_error

_CONFIG_NAMES = ("config", "cfg", "args")
_OPEN_OBJECTS = (dict, object, types.SimpleNamespace, argparse.Namespace)
_WORDS: dict[type, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "a list",
    tuple: "a list",
    dict: "an object",
}


def bind_config(
    entry: object, config: Mapping[str, Any], *, entry_shown: str, shown: str, folder: Path
) -> dict[str, Any]:
    """Work out the keyword arguments with which to call `entry`.

    A single parameter called config, cfg or args gets the whole config: as the class it is annotated with,
    else as an object that is read by attribute and by item. Otherwise each key is the argument of its name.

    Args:
        entry: the class or function.
        config: from config.json.
        entry_shown, shown: the entry and the config file, for messages.
        folder: of the user's code.

    Raises:
        TargetError: for unknown and missing names and for values of a wrong type.
    """
    whole = _whole_config_parameter(entry, config)
    if whole is None:
        return _bind_by_name(entry, config, entry_shown, shown)
    return {whole: _make_config(_annotations(entry).get(whole), config, shown, folder)}


def _whole_config_parameter(entry: object, config: Mapping[str, Any]) -> str | None:
    parameters = list(parameters_of(entry).values())
    if not parameters or parameters[0].name not in _CONFIG_NAMES or parameters[0].name in config:
        return None
    if parameters[0].kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
        return None
    others_optional = all(
        item.default is not item.empty or item.kind in (item.VAR_POSITIONAL, item.VAR_KEYWORD)
        for item in parameters[1:]
    )
    return parameters[0].name if others_optional else None


def _make_config(annotation: Any, config: Mapping[str, Any], shown: str, folder: Path) -> Any:
    annotation = _drop_none(annotation)
    if not isinstance(annotation, type) or annotation in _OPEN_OBJECTS or issubclass(annotation, Mapping):
        return ConfigObject(config)
    try:
        if dataclasses.is_dataclass(annotation):
            return _make_dataclass(annotation, config, shown)
        if hasattr(annotation, "from_dict"):  # a transformers config
            return annotation.from_dict(dict(config))
        return annotation(**_bind_by_name(annotation, config, annotation.__name__, shown))
    except TargetError:
        raise
    except Exception as error:
        raise explain_user_error(error, folder, f"building {annotation.__name__} from {shown}") from error


def _make_dataclass(made: type, config: Mapping[str, Any], shown: str) -> Any:
    arguments = _bind_by_name(made, config, made.__name__, shown)
    hints = _annotations(made)
    for name, value in arguments.items():
        nested = _drop_none(hints.get(name))
        if isinstance(nested, type) and dataclasses.is_dataclass(nested) and isinstance(value, Mapping):
            arguments[name] = _make_dataclass(nested, value, shown)
    return made(**arguments)


def _bind_by_name(entry: object, config: Mapping[str, Any], entry_shown: str, shown: str) -> dict[str, Any]:
    parameters = parameters_of(entry)
    named = {
        name: item
        for name, item in parameters.items()
        if item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)
    }
    open_ended = any(item.kind is item.VAR_KEYWORD for item in parameters.values())
    unknown = [name for name in config if name not in named]
    if unknown and not open_ended:
        close = difflib.get_close_matches(unknown[0], named, n=1)
        meant = f"Did you mean {close[0]!r}? " if close else ""
        raise TargetError(
            f"{shown}: {entry_shown} takes no argument {unknown[0]!r}",
            hint=f"{meant}{entry_shown} takes {', '.join(named) or 'no arguments'}.",
        )
    missing = [name for name, item in named.items() if item.default is item.empty and name not in config]
    if missing:
        raise TargetError(
            f"{shown} does not set {', '.join(missing)}, which {entry_shown} requires",
            hint="Add the missing keys to the config.",
        )
    hints = _annotations(entry)
    return {
        name: _require_fit(
            value,
            annotation=hints.get(name, inspect.Parameter.empty),
            default=named[name].default if name in named else inspect.Parameter.empty,
            name=name,
            shown=shown,
        )
        for name, value in config.items()
    }


def _annotations(entry: object) -> dict[str, Any]:
    """The resolved annotations of `entry`'s parameters; empty when they cannot be resolved."""
    called = entry
    if isinstance(entry, type) and not dataclasses.is_dataclass(entry):
        called = entry.__init__  # type: ignore[misc]
    try:
        return typing.get_type_hints(called)
    except Exception:  # noqa: BLE001 - annotations are the user's; without them values pass unchecked
        return {}


def _drop_none(annotation: Any) -> Any:
    """`X` for `X | None`."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        parts = [part for part in typing.get_args(annotation) if part is not type(None)]
        return parts[0] if len(parts) == 1 else annotation
    return annotation


def _require_fit(value: Any, *, annotation: Any, default: Any, name: str, shown: str) -> Any:
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
