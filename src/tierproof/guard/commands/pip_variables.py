"""pip's options that are given as variables: `PIP_REQUIREMENT=file` stands for `-r file`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_ON = frozenset({"1", "y", "yes", "t", "true", "on"})
_FLAGS = ("upgrade", "force-reinstall", "ignore-installed", "no-deps", "pre", "user", "no-index", "dry-run")
_LISTS = ("requirement", "constraint", "editable")
_TEXTS = ("target", "prefix", "root")


def list_pip_options(variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the options of pip that `variables` give, by their long names, each with its value."""
    for name in _FLAGS:
        if _find(name, variables).lower() in _ON:
            yield name, ""
    for name in _LISTS:
        for value in _find(name, variables).split():
            yield name, value
    for name in _TEXTS:
        if value := _find(name, variables):
            yield name, value


def _find(name: str, variables: Mapping[str, str]) -> str:
    return variables.get(f"PIP_{name.upper().replace('-', '_')}", "")
