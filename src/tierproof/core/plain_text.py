"""Text from elsewhere, made safe for a terminal."""

from __future__ import annotations


def clean_text(text: str) -> str:
    """Replace every control character but the line break and the tab: a terminal would obey them."""
    return "".join(
        each if each.isprintable() or each in "\n\t" else "\N{REPLACEMENT CHARACTER}" for each in text
    )
