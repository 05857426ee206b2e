"""Write a picture as PNG with nothing but zlib, and keep a text inside it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Compressed international text: keyword, compressed, method, no language, no translated keyword.
_TEXT_HEAD = b"%s\0\1\0\0\0"


def write_grey_png(rows: Sequence[bytes], *, keyword: str = "", text: str = "") -> bytes:
    """Give a picture of 8 bits a pixel; 0 is black.

    Args:
        rows: of equal length, at least one of at least one pixel.
        keyword: under which `text` is kept in the file, in Latin letters; empty for none.
    """
    return _pack(rows, len(rows[0]), colour_type=0, keyword=keyword, text=text)


def write_colour_png(rows: Sequence[bytes]) -> bytes:
    """Give a picture of 8 bits for each of red, green and blue.

    Args:
        rows: of equal length, three bytes for each pixel, at least one of at least one pixel.
    """
    return _pack(rows, len(rows[0]) // 3, colour_type=2)


def _pack(rows: Sequence[bytes], width: int, *, colour_type: int, keyword: str = "", text: str = "") -> bytes:
    """Give the file of rows that are already bytes; `colour_type` is 0 for grey and 2 for red, green and blue."""
    header = struct.pack(">IIBBBBB", width, len(rows), 8, colour_type, 0, 0, 0)
    # Each row begins with the number of its filter: none. Attention is sparse, so filters gain nothing.
    pixels = b"\0" + b"\0".join(rows)
    parts = [_SIGNATURE, _chunk(b"IHDR", header)]
    if keyword:
        parts.append(
            _chunk(b"iTXt", _TEXT_HEAD % keyword.encode("latin-1") + zlib.compress(text.encode(), 9))
        )
    parts += [_chunk(b"IDAT", zlib.compress(pixels, 9)), _chunk(b"IEND", b"")]
    return b"".join(parts)


def read_png_text(png: bytes, keyword: str) -> str | None:
    """The text that `write_grey_png` kept under `keyword`; None where the file has none."""
    head = _TEXT_HEAD % keyword.encode("latin-1")
    for name, content in _iterate_chunks(png):
        if name == b"iTXt" and content.startswith(head):
            return zlib.decompress(content[len(head) :]).decode()
    return None


def drop_png_text(png: bytes) -> bytes:
    """The same picture without the texts in it."""
    kept = (_chunk(name, content) for name, content in _iterate_chunks(png) if name != b"iTXt")
    return _SIGNATURE + b"".join(kept)


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def _iterate_chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at + 8 <= len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        at += 12 + size
