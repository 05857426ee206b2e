"""Write a `pylock.toml` (PEP 751) of chosen packages, for uv to install exactly."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from tierproof.core.credentials import strip_credentials

_BARE_KEY = re.compile(r"\A[A-Za-z0-9_-]+\Z")


def format_pylock(entries: Iterable[Mapping[str, Any]]) -> str:
    """Return the text of a lock with these package tables, in their order.

    Raises:
        ValueError: an entry holds what TOML cannot say.
    """
    lines = ['lock-version = "1.0"', 'created-by = "tierproof"']
    for entry in entries:
        lines += ["", "[[packages]]"]
        lines += [f"{_format_key(key)} = {format_value(value)}" for key, value in entry.items()]
    return "\n".join(lines) + "\n"


def strip_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Leave user names, passwords and tokens out of every URL in a package's table."""
    return {key: _strip(value) for key, value in entry.items()}


def _strip(value: Any) -> Any:
    if isinstance(value, str):
        return strip_credentials(value)
    if isinstance(value, Mapping):
        return strip_entry(value)
    if isinstance(value, list | tuple):
        return [_strip(item) for item in value]
    return value


def format_value(value: object) -> str:
    """Return one TOML value on one line: tables become inline tables."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            # TOML's basic strings escape as JSON does, but for DEL, which JSON leaves as it is.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case datetime() | date() | time():
            return value.isoformat()
        case Mapping():
            inner = ", ".join(
                f"{_format_key(str(key))} = {format_value(item)}" for key, item in value.items()
            )
            return f"{{ {inner} }}" if inner else "{}"
        case Sequence():
            return f"[{', '.join(format_value(item) for item in value)}]"
        case _:
            raise ValueError(f"TOML cannot represent {type(value).__name__}")


def _format_key(key: str) -> str:
    return key if _BARE_KEY.match(key) else json.dumps(key)
