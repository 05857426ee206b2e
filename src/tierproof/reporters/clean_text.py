"""Text from a user's model, made safe to show: no control characters, nothing that cannot be encoded."""

from __future__ import annotations

import re

from tierproof.core import plain_text

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")


def clean_text(text: str) -> str:
    """Drop terminal sequences, end lines with a newline, and put U+FFFD for what must not be shown."""
    return plain_text.clean_text(_LINE_ENDS.sub("\n", _ANSI.sub("", text))).replace("\t", "    ")


def clean_line(text: str) -> str:
    """The same on one line, runs of white space as one space."""
    return " ".join(clean_text(text).split())
