"""Plain text as a notebook shows it: lines kept, long ones wrapped."""

from __future__ import annotations

import html


def show_plainly(text: str) -> str:
    """Give `text` as HTML that keeps its lines and wraps those that are too long for the page."""
    return f'<pre style="white-space: pre-wrap">{html.escape(text)}</pre>'
