"""Text in a notebook: escaped, its lines kept."""

from __future__ import annotations

from tierproof.core.plain_html import show_plainly


def test_escaped_and_wrapped() -> None:
    shown = show_plainly("a < b\n  c")
    assert "a &lt; b\n  c" in shown
    assert "pre-wrap" in shown
