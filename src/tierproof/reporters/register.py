"""Fill core's table: which suffix is written by which reporter."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from tierproof.core.renderers import Renderer, register_renderer

if TYPE_CHECKING:
    from tierproof.core.report import Report

_RENDERERS = {
    ".html": ("html", "render_html"),
    "html-fragment": ("html", "render_html_fragment"),
    ".json": ("json_document", "render_json"),
    ".md": ("markdown", "render_markdown"),
    ".txt": ("terminal", "render_text"),
    ".xml": ("junit", "render_junit"),
}


def register_all() -> None:
    """Let reports be saved in every format; a reporter is imported when its first report is written."""
    for suffix, (module, name) in _RENDERERS.items():
        register_renderer(suffix, _defer(module, name))


def _defer(module: str, name: str) -> Renderer:
    def render(report: Report) -> str:
        renderer: Renderer = getattr(importlib.import_module(f"tierproof.reporters.{module}"), name)
        return renderer(report)

    return render
