from __future__ import annotations

import struct
import zlib

import pytest

from tierproof.core.png import drop_png_text, read_png_text, write_grey_png


def _decode(png: bytes) -> list[bytes]:
    """The rows of a grey PNG without filters, by the book."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, pixels, size = 8, b"", (0, 0)
    while at < len(png):
        length, name = struct.unpack(">I4s", png[at : at + 8])
        content = png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length])[0] == zlib.crc32(name + content)
        if name == b"IHDR":
            *size, depth, kind, _, _, _ = struct.unpack(">IIBBBBB", content)
            assert (depth, kind) == (8, 0)
        pixels += content if name == b"IDAT" else b""
        at += 12 + length
    width, height = size
    raw = zlib.decompress(pixels)
    assert len(raw) == height * (width + 1)
    rows = [raw[row * (width + 1) : (row + 1) * (width + 1)] for row in range(height)]
    assert all(row[0] == 0 for row in rows)
    return [row[1:] for row in rows]


def test_the_pixels_come_back():
    rows = [bytes(range(7)), bytes(range(200, 207)), bytes(7)]
    assert _decode(write_grey_png(rows)) == rows


def test_a_text_is_kept_and_dropped():
    png = write_grey_png([b"\0\1"], keyword="tierproof", text="größer \N{SNOWMAN}")
    assert read_png_text(png, "tierproof") == "größer \N{SNOWMAN}"
    assert read_png_text(png, "other") is None
    bare = drop_png_text(png)
    assert read_png_text(bare, "tierproof") is None
    assert _decode(bare) == _decode(png) == [b"\0\1"]


def test_pillow_reads_it(tmp_path):
    image = pytest.importorskip("PIL.Image")
    file = tmp_path / "a.png"
    file.write_bytes(write_grey_png([b"\0\x80", b"\xff\1"], keyword="k", text="t"))
    with image.open(file) as read:
        assert read.mode == "L"
        assert read.tobytes() == b"\0\x80\xff\1"
