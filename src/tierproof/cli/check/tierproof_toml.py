"""Defaults of `tierproof check` from a tierproof.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tierproof.core.json_value import JsonValue
from tierproof.core.read_bounded import read_bounded
from tierproof.errors import UsageError

FILE_NAME = "tierproof.toml"
_MOST_BYTES = 1 << 20

_STRING, _INTEGER, _NUMBER, _FLAG, _LIST = (
    "a string",
    "an integer",
    "a number",
    "true or false",
    "a list of strings",
)
_KEYS = {
    "tier": (_INTEGER, _STRING),
    "only": (_LIST, _STRING),
    "skip": (_LIST, _STRING),
    "inputs": (_STRING,),
    "device": (_STRING,),
    "seed": (_INTEGER,),
    "budget": (_NUMBER,),
    "weights": (_FLAG,),
    "output": (_LIST, _STRING),
    "hub-url": (_STRING,),
    "gist-url": (_STRING,),
    "quiet": (_FLAG,),
}


@dataclass(frozen=True, slots=True)
class CheckConfig:
    """The `[check]` table: values by option name, and the `[check.spec]` table."""

    options: Mapping[str, Any] = field(default_factory=dict)
    spec: Mapping[str, JsonValue] = field(default_factory=dict)


def read_check_config(path: Path) -> CheckConfig:
    """Read a config file. Paths in it are relative to its folder.

    `trust` is not among the keys: a file that came with the code must not vouch for it.

    Raises:
        UsageError: when it is absent, not TOML, or has an unknown key or a value of a wrong type.
    """
    document = _parse(path)
    for name in document:
        if name != "check":
            raise UsageError(
                f"{path}: unknown table or key {name!r}", hint="Use only the tables [check] and [check.spec]."
            )
    table = dict(document.get("check", {})) if isinstance(document.get("check", {}), dict) else None
    if table is None:
        raise UsageError(f"{path}: `check` must be a table", hint="Write [check] on a line of its own.")
    spec = table.pop("spec", {})
    if not isinstance(spec, dict):
        raise UsageError(
            f"{path}: `check.spec` must be a table", hint="Write [check.spec] on a line of its own."
        )
    return CheckConfig({name: _read(name, value, path) for name, value in table.items()}, spec)


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_bounded(path, _MOST_BYTES).decode("utf-8-sig"))
    except OSError as error:
        raise UsageError(
            f"cannot read the config {path}: {error.strerror or error}",
            hint="Pass an existing file that you may read; a pipe or a folder is not accepted.",
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the config {path} is not UTF-8", hint="Save it as UTF-8.") from error
    except RecursionError as error:
        raise UsageError(
            f"the config {path} is nested too deeply", hint="Use only the tables [check] and [check.spec]."
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"the config {path} is not valid TOML: {error}", hint="Correct that line."
        ) from error


def _read(name: str, value: object, path: Path) -> object:
    if name == "trust":
        raise UsageError(
            f"{path}: `trust` cannot be set in this file", hint="Pass --trust on the command line."
        )
    if name not in _KEYS:
        raise UsageError(
            f"{path}: unknown key {name!r} in [check]", hint=f"Known keys: {', '.join(_KEYS)}, spec."
        )
    if not any(_is(value, kind) for kind in _KEYS[name]):
        raise UsageError(
            f"{path}: {name} must be {' or '.join(_KEYS[name])}, not {value!r}",
            hint=f"Change `{name}` in that file.",
        )
    if name in ("only", "skip") and isinstance(value, list):
        return ",".join(value)
    if name == "tier":
        return str(value)
    if name == "inputs":
        return str(path.parent / str(value))
    if name == "output":
        return [str(path.parent / item) for item in ([value] if isinstance(value, str) else _strings(value))]
    return value


def _strings(value: object) -> list[str]:
    assert isinstance(value, list)
    return [str(item) for item in value]


def _is(value: object, kind: str) -> bool:
    if kind == _FLAG:
        return isinstance(value, bool)
    if kind == _LIST:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if kind == _STRING:
        return isinstance(value, str)
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (kind == _NUMBER and isinstance(value, float))
