"""Text from elsewhere, on a terminal."""

from __future__ import annotations

from tierproof.core.plain_text import clean_text


def test_a_terminal_is_given_no_orders() -> None:
    assert clean_text("a\x1b[2Jb\0\r\x9b\x7f\n\tüß日") == "a\ufffd[2Jb\ufffd\ufffd\ufffd\ufffd\n\tüß日"
