"""Turn what a target names (an instance, a class or a function) into one module.

A class that requires a configuration gets the one whose defaults its file gives.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from tierproof.errors import TierproofError
from tierproof.model.load.target import TargetError
from tierproof.model.load.user_error import explain_user_error

_CONFIG_NAMES = ("config", "cfg", "conf", "args", "hparams")


def build_module(
    entry: object, *, shown: str, folder: Path, arguments: Mapping[str, Any] | None = None
) -> nn.Module:
    """Return the module that `entry` is, or that calling `entry` builds.

    Args:
        entry: an nn.Module, a subclass of it, or a function that returns one.
        shown: the entry as the user knows it, for messages.
        folder: of the user's code, to name the line that raised.
        arguments: keyword arguments for the call; None for none.

    Raises:
        TargetError: when `entry` needs arguments, raises, or returns something else.
    """
    if isinstance(entry, nn.Module):
        return entry
    if not isinstance(entry, type) and isinstance(inner := getattr(entry, "model", None), nn.Module):
        return inner  # a pipeline or a trainer
    if isinstance(entry, type) and not issubclass(entry, nn.Module):
        raise TargetError(
            f"{shown} is the class {entry.__name__}, which is not an nn.Module",
            hint="Name an nn.Module subclass, or a function that returns a module.",
        )
    if not callable(entry):
        raise TargetError(
            f"{shown} is a {type(entry).__name__}, not an nn.Module or a callable that returns one",
            hint="Name an nn.Module, its class, or a function that returns one.",
        )
    if arguments is None:
        _refuse_required(entry, shown)
    try:
        made = entry(**(arguments or {}))
    except TierproofError:
        raise
    except (Exception, SystemExit) as error:
        raise explain_user_error(error, folder, f"building {shown}") from error
    if isinstance(inner := getattr(made, "model", None), nn.Module) and not isinstance(made, nn.Module):
        return inner
    if not isinstance(made, nn.Module):
        raise TargetError(
            f"{shown} returned a {type(made).__name__}, not an nn.Module",
            hint="Make it return only the module.",
        )
    return made


def required_arguments(entry: object) -> list[str]:
    """The names of the arguments that `entry` requires."""
    return [
        name
        for name, parameter in parameters_of(entry).items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]


def parameters_of(entry: object) -> Mapping[str, inspect.Parameter]:
    """The parameters of `entry` by name; empty when its signature cannot be read."""
    try:
        return inspect.signature(entry).parameters  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return {}


def _refuse_required(entry: object, shown: str) -> None:
    required = required_arguments(entry)
    if not required:
        return
    listed = ", ".join(required)
    raise TargetError(
        f"{shown} cannot be built without arguments: it needs {listed}",
        hint=(
            "Write a function `build_model()` that returns the finished module, "
            f"or pass a folder that holds model.py and a config.json that sets {listed}."
        ),
    )


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
    return f"{getattr(entry, '__name__', 'the model')} was built with {given}, which has the default values of its file"


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
