"""The base: the installed and loaded packages that a plan starts from. Frozen, so that a plan can be repeated."""

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
from tierproof.guard.system.search_path import read_search_path


@dataclass(frozen=True)
class Base:
    """An interpreter, its installed packages, and which of them are loaded.

    Attributes:
        name: `here`, or an image.
        executable: path of the interpreter that uv resolves for.
        python: its full version, such as `3.11.7`.
        markers: the values of its environment markers.
        paths: its `sys.path`, in order.
        installed: the first distribution of each name on `paths`.
        loaded: the packages that running processes use, or may use.
        added: names of the packages in the present generation.
        replaceable: names in `added` that no running process can have loaded.
        held: the specifier of each package that was requested earlier, by normalised name.
        platform: of an interpreter on another machine, as uv names it (`x86_64-manylinux_2_35`): `python` and
            `markers` then describe that machine, and uv only runs with `executable`. Empty: this machine.
        user_site: whether user site-packages is on its path, before the base; None: ask `executable`.
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
        """The version of `name` (normalised), or None if it is not installed."""
        item = self.by_name.get(name)
        return None if item is None else Version(item.version)


def capture_base(
    find_loaded: Callable[[Sequence[InstalledDistribution]], Loaded] = find_loaded_here,
    paths: Sequence[str] | None = None,
) -> Base:
    """Capture this interpreter.

    Args:
        find_loaded: finds the loaded ones among the installed distributions.
        paths: the path entries to look at; `sys.path` by default.
    """
    installed = capture_installed(paths)
    return Base(
        name="here",
        executable=sys.executable,
        python=".".join(str(part) for part in sys.version_info[:3]),
        markers=cast("dict[str, str]", default_environment()),
        paths=tuple(read_search_path(paths)),
        installed=installed,
        loaded=find_loaded(installed),
    )


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
