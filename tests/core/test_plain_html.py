"""Text in a notebook: escaped, its lines kept, without control characters."""

from __future__ import annotations

from tierproof.core.plain_html import escape_html, show_plainly


def test_escaped_and_wrapped() -> None:
    shown = show_plainly("a < b\n  c")
    assert "a &lt; b\n  c" in shown
    assert "pre-wrap" in shown


def test_no_control_character_is_left() -> None:
    assert escape_html("a\x1b[2J<b>\x07") == "a\ufffd[2J&lt;b&gt;\ufffd"
    assert "\x1b" not in show_plainly("a\x1b[2J")
