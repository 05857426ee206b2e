"""The table of renderers by format. The api layer fills it; core knows none of them, and they know the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Renderer = Callable[[Any], str]
"""Gives a report as text. The report's own module reads this table, so its type is not named here."""

_renderers: dict[str, Renderer] = {}


def register_renderer(suffix: str, renderer: Renderer) -> None:
    """Let files that end in `suffix` (with its dot) be written by `renderer`.

    A name without a dot ("html-fragment") is a rendering that no file can ask for.
    """
    _renderers[suffix] = renderer


def find_renderer(suffix: str) -> Renderer | None:
    """Give the renderer for `suffix`, or None."""
    return _renderers.get(suffix.lower())


def known_suffixes() -> tuple[str, ...]:
    """The suffixes a report can be saved under, sorted."""
    return tuple(sorted(name for name in _renderers if name.startswith(".")))
