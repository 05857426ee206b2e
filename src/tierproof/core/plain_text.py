"""Text from elsewhere, made safe for a terminal, a page or a file."""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # what a terminal obeys and XML forbids
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that reorder text: a path could read as another one
    r"\u2028\u2029"  # ends of lines that are not seen as such everywhere
    r"\ud800-\udfff\ufffe\uffff]"  # what UTF-8 or XML cannot hold
)


def clean_text(text: str) -> str:
    """Put U+FFFD for every control character but the line break and the tab: a terminal would obey them.

    What leaves tierproof as text passes through here: on a terminal, in a notebook, in a message. What is printed
    as JSON does not, because JSON escapes by itself.
    """
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))
