"""Labels of a figure."""

from __future__ import annotations


def read_label(value: object, *, longest: int = 28) -> str:
    """Give a printable label; the front of a long path is cut, since its end tells modules apart."""
    text = "".join(character if character.isprintable() else "·" for character in str(value or ""))
    return text if len(text) <= longest else "…" + text[-(longest - 1) :]
