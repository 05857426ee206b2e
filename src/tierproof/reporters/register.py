"""Fill core's table: which suffix is written by which reporter."""

from __future__ import annotations

from tierproof.core.renderers import register_renderer
from tierproof.reporters.html import render_html, render_html_fragment
from tierproof.reporters.json_document import render_json
from tierproof.reporters.junit import render_junit
from tierproof.reporters.markdown import render_markdown
from tierproof.reporters.terminal import render_text


def register_all() -> None:
    """Let reports be saved in every format; nothing heavy is imported until one is written."""
    register_renderer(".html", render_html)
    register_renderer(".html-fragment", render_html_fragment)
    register_renderer(".json", render_json)
    register_renderer(".md", render_markdown)
    register_renderer(".txt", render_text)
    register_renderer(".xml", render_junit)
