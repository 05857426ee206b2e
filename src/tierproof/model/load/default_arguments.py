"""Give the configuration that a model's class requires, where its file says what the default is."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from tierproof.model.load.build_module import parameters_of, required_arguments

_CONFIG_NAMES = ("config", "cfg", "conf", "args", "hparams")


def find_default_arguments(entry: object, module: ModuleType) -> Mapping[str, Any] | None:
    """The arguments with which to build `entry`, if each one it requires is a configuration with defaults.

    Such a one is annotated with a dataclass all of whose fields have defaults; or it is called `config` and the
    file defines one such dataclass only.

    Args:
        entry: a class or function.
        module: the file that defines it.

    Returns:
        None where `entry` requires nothing, or anything else.
    """
    required = required_arguments(entry)
    if not required or not isinstance(entry, type):
        return None
    found: dict[str, Any] = {}
    for name in required:
        config = _find_config(name, _read_annotation(entry, name, module), module)
        if config is None:
            return None
        found[name] = config()
    return found


def describe_default_arguments(entry: object, arguments: Mapping[str, Any]) -> str:
    """What was assumed in giving them."""
    given = ", ".join(f"{type(value).__name__}()" for value in arguments.values())
    return f"{getattr(entry, '__name__', 'the model')} was built with {given}, the defaults of its file"


def _read_annotation(entry: type, name: str, module: ModuleType) -> object:
    annotation = parameters_of(entry)[name].annotation
    if isinstance(annotation, str):
        return vars(module).get(annotation)
    return typing.get_origin(annotation) or annotation


def _find_config(name: str, annotation: object, module: ModuleType) -> type | None:
    if isinstance(annotation, type) and annotation is not inspect.Parameter.empty:
        return annotation if _has_defaults(annotation) else None
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__ and _has_defaults(value)
    ]
    return own[0] if name in _CONFIG_NAMES and len(own) == 1 else None


def _has_defaults(kind: type) -> bool:
    """Whether it is a dataclass that can be built without arguments."""
    return dataclasses.is_dataclass(kind) and not required_arguments(kind)
