"""The build-id of an ELF image: the linker's own fingerprint of what it linked."""

from __future__ import annotations

import struct

_PT_NOTE = 4
_NT_GNU_BUILD_ID = 3
_HEADER_BYTES_64 = 64
_PROGRAM_HEADER_BYTES_64 = 56


def find_build_id(image: bytes) -> str:
    """Return the build-id in hexadecimal; empty when `image` (a file's beginning) holds none or is no ELF64.

    Source: the System V ABI, chapters 4 and 5; notes are padded to four bytes.
    """
    if len(image) < _HEADER_BYTES_64 or image[:5] != b"\x7fELF\x02":
        return ""
    order = "<" if image[5] == 1 else ">"
    (table,) = struct.unpack_from(f"{order}Q", image, 32)
    size, count = struct.unpack_from(f"{order}HH", image, 54)
    if size < _PROGRAM_HEADER_BYTES_64:
        return ""
    for number in range(count):
        at = table + number * size
        if at + size > len(image):
            break
        (kind,) = struct.unpack_from(f"{order}I", image, at)
        (offset,) = struct.unpack_from(f"{order}Q", image, at + 8)
        (length,) = struct.unpack_from(f"{order}Q", image, at + 32)
        if kind == _PT_NOTE:
            found = _find_in_notes(image[offset : offset + length], order)
            if found:
                return found
    return ""


def _find_in_notes(notes: bytes, order: str) -> str:
    at = 0
    while at + 12 <= len(notes):
        name_length, length, kind = struct.unpack_from(f"{order}III", notes, at)
        name_at = at + 12
        value_at = name_at + -(-name_length // 4) * 4
        if kind == _NT_GNU_BUILD_ID and notes[name_at : name_at + 4] == b"GNU\0":
            value = notes[value_at : value_at + length]
            return value.hex() if len(value) == length else ""
        at = value_at + -(-length // 4) * 4
    return ""
