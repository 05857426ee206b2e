"""Text from elsewhere, on a terminal."""

from __future__ import annotations

import sys
import unicodedata

from tierproof.core.plain_text import clean_text


def test_a_terminal_is_given_no_orders() -> None:
    assert clean_text("a\x1b[2Jb\0\r\x9b\x7f\n\tüß日") == "a\ufffd[2Jb\ufffd\ufffd\ufffd\ufffd\n\tüß日"


def test_of_all_characters_none_is_left_that_a_terminal_obeys_or_utf_8_lacks() -> None:
    left = clean_text("".join(map(chr, range(sys.maxunicode + 1))))
    assert {each for each in left if unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp")} == {"\n", "\t"}
    assert not {
        each for each in left if unicodedata.bidirectional(each) in ("RLO", "LRO", "RLE", "LRE", "RLI", "LRI")
    }


def test_letters_spaces_and_line_ends_of_all_languages_stay() -> None:
    text = "naïve\xa0日本\u3000\u200d\N{WOMAN}\u200d\N{PERSONAL COMPUTER} → ✓ …"
    assert clean_text(text) == text
    assert clean_text("a\r\nb") == "a\nb"
