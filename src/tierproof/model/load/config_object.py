"""A config object whose values a model can read by attribute or by item."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any


class ConfigObject(dict[str, Any]):
    """A dict whose keys are also attributes, at every level.

    Model code in the wild writes `config.n_layer`, `config["n_layer"]`, `config.get(...)`, `**config` and
    `getattr(config, "bias", True)`: each works.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__({name: _convert(value) for name, value in values.items()})

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        close = difflib.get_close_matches(name, list(self), n=1)
        meant = f"; did you mean {close[0]!r}?" if close else f"; it has {', '.join(self) or 'no keys'}"
        raise AttributeError(f"config.json has no {name!r}{meant}")

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        del self[name]

    def __missing__(self, key: str) -> Any:
        raise KeyError(f"config.json has no {key!r}")


def _convert(value: Any) -> Any:
    if isinstance(value, Mapping):
        return ConfigObject(value)
    if isinstance(value, list):
        return [_convert(item) for item in value]
    return value
