"""Write a small picture in colour as PNG with nothing but zlib."""

from __future__ import annotations

from collections.abc import Sequence

from tierproof.core.grey_png import pack_png


def write_colour_png(rows: Sequence[bytes]) -> bytes:
    """Give a picture of 8 bits for each of red, green and blue.

    Args:
        rows: of equal length, three bytes for each pixel, at least one of at least one pixel.
    """
    return pack_png(rows, len(rows[0]) // 3, colour_type=2)
