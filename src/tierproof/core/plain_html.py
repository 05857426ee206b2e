"""Plain text as a notebook shows it: escaped, without control characters."""

from __future__ import annotations

import html

from tierproof.core.plain_text import clean_text


def escape_html(text: str) -> str:
    """Give `text` as HTML that reads as that text and nothing else."""
    return html.escape(clean_text(text))


def show_plainly(text: str) -> str:
    """Give `text` as HTML that keeps its lines and wraps those that are too long for the page."""
    return f'<pre style="white-space: pre-wrap">{escape_html(text)}</pre>'
