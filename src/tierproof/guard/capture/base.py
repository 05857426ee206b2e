"""The base: what a plan rests on. Frozen, so that a plan can be made again and gives the same."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

from packaging.markers import default_environment
from packaging.version import InvalidVersion, Version

from tierproof.guard.capture.installed import InstalledDistribution, capture_installed
from tierproof.guard.capture.loaded_distributions import Loaded, find_loaded_here


@dataclass(frozen=True)
class Base:
    """An interpreter with what is installed and what is in use.

    Attributes:
        name: `here`, or an image.
        executable: the interpreter that uv resolves for.
        python: its full version, such as `3.11.7`.
        markers: the values of its environment markers.
        paths: its `sys.path`, in order.
        installed: the first distribution of each name on `paths`.
        loaded: what live processes use, or may.
        added: names of those that the present generation holds.
        replaceable: names among `added` that no live process may have loaded.
        held: the specifier of each package that was asked for before, by normalised name.
        platform: of an interpreter on another machine, as uv names it (`x86_64-manylinux_2_35`): then
            `executable` only lends uv a Python, and `python` and `markers` are the other's. Empty: this one.
        user_site: whether it has the user's site on its path, before the base; None: ask `executable`.
    """

    name: str
    executable: str
    python: str
    markers: Mapping[str, str]
    paths: tuple[str, ...]
    installed: tuple[InstalledDistribution, ...]
    loaded: Loaded = field(default_factory=Loaded)
    added: frozenset[str] = frozenset()
    replaceable: frozenset[str] = frozenset()
    held: Mapping[str, str] = field(default_factory=dict)
    platform: str = ""
    user_site: bool | None = None

    @cached_property
    def by_name(self) -> Mapping[str, InstalledDistribution]:
        """The distributions whose version can be understood, by normalised name."""
        return {item.name: item for item in self.installed if _is_version(item.version)}

    def version(self, name: str) -> Version | None:
        """The version of `name` (normalised), or None where it is not installed."""
        item = self.by_name.get(name)
        return None if item is None else Version(item.version)


def capture_base(
    find_loaded: Callable[[Sequence[InstalledDistribution]], Loaded] = find_loaded_here,
    paths: Sequence[str] | None = None,
) -> Base:
    """Capture this interpreter.

    Args:
        find_loaded: finds what is in use among the installed.
        paths: in place of `sys.path`.
    """
    installed = capture_installed(paths)
    return Base(
        name="here",
        executable=sys.executable,
        python=".".join(str(part) for part in sys.version_info[:3]),
        markers=cast("dict[str, str]", default_environment()),
        paths=tuple(sys.path if paths is None else paths),
        installed=installed,
        loaded=find_loaded(installed),
    )


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
