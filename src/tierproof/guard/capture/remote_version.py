"""Which versions another process has loaded, read out of its memory without touching it.

A module's namespace is a dict whose entries, pairs of pointers to a key and a value, begin with `__name__`.
Python interns those keys, so the table of `numpy` is where the pointer to "__name__" stands before a pointer
to the text "numpy"; its `__version__` follows a few entries on. Source: CPython's Include/cpython/unicodeobject.h
and Include/internal/pycore_dict.h. Anything unexpected gives no answer, never a wrong one.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from tierproof.guard.system.process import PROC

_REGION = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw.. \S+ \S+ \d+\s*(.*)\Z")
_CHUNK_BYTES = 1 << 18
_LARGEST_REGION_BYTES = 256 << 20
_MOST_BYTES = 2 << 30
_TEXT_OFFSETS = (40, 48)  # from 3.12 on; 3.11, whose header has one pointer more
_LENGTH_OFFSET = 16
_ENTRY_BYTES = 16
_MOST_ENTRIES = 4096
_VERSION = re.compile(rb"[0-9][0-9A-Za-z.+!_-]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class _Region:
    start: int
    content: bytes


def read_remote_versions(pid: int, names: Collection[str]) -> dict[str, str]:
    """Return the `__version__` of each loaded module of `names`; those that could not be read are left out.

    Args:
        pid: a process of this user, with memory that may be read (see ptrace_scope).
        names: top-level import names.
    """
    if not names:
        return {}
    try:
        with (PROC / str(pid) / "mem").open("rb", buffering=0) as memory:
            regions = tuple(_read_regions(pid, memory))
    except OSError:
        return {}
    return _find_versions(regions, names)


def _read_regions(pid: int, memory: BinaryIO) -> Iterator[_Region]:
    total = 0
    for line in (PROC / str(pid) / "maps").read_text(errors="replace").splitlines():
        match = _REGION.match(line)
        if match is None or not _may_hold_objects(match[3]):
            continue
        start, end = int(match[1], 16), int(match[2], 16)
        total += end - start
        if end - start > _LARGEST_REGION_BYTES or total > _MOST_BYTES:
            continue
        yield from _read_used(memory, start, end)


def _read_used(memory: BinaryIO, start: int, end: int) -> Iterator[_Region]:
    """Read from `start` to `end`, leaving out stretches of nothing but zeros: memory that was never used."""
    first, parts = start, list[bytes]()
    for at in range(start, end, _CHUNK_BYTES):
        try:
            memory.seek(at)
            chunk = memory.read(min(_CHUNK_BYTES, end - at))
        except (OSError, ValueError, OverflowError):
            chunk = b""
        if chunk.strip(b"\0"):
            parts.append(chunk)
            continue
        if parts:
            yield _Region(first, b"".join(parts))
        first, parts = at + _CHUNK_BYTES, []
    if parts:
        yield _Region(first, b"".join(parts))


def _may_hold_objects(name: str) -> bool:
    # The interpreter's own data holds the interned texts that it was built with, "__name__" among them.
    return not name or name.startswith(("[heap]", "[anon")) or "python" in name.rpartition("/")[2]


def _find_versions(regions: tuple[_Region, ...], names: Collection[str]) -> dict[str, str]:
    name_keys = _find_texts(regions, b"__name__")
    version_keys = set(_find_texts(regions, b"__version__"))
    wanted = {value: name for name in names for value in _find_texts(regions, name.encode())}
    found: dict[str, str] = {}
    for key, text_offset in name_keys.items() if version_keys and wanted else ():
        for region, entry in _find_pointers(regions, key):
            if entry + _ENTRY_BYTES > len(region.content):
                continue
            (value,) = struct.unpack_from("<Q", region.content, entry + 8)
            version = value in wanted and _read_version(regions, region, entry, version_keys, text_offset)
            if version:
                found[wanted[value]] = version
    return found


def _read_version(
    regions: tuple[_Region, ...], region: _Region, at: int, version_keys: set[int], text_offset: int
) -> str:
    last = min(at + _MOST_ENTRIES * _ENTRY_BYTES, len(region.content) - _ENTRY_BYTES + 1)
    for entry in range(at, last, _ENTRY_BYTES):
        key, value = struct.unpack_from("<QQ", region.content, entry)
        if key in version_keys:
            text = _read_text(regions, value, text_offset)
            return text.decode() if _VERSION.match(text) else ""
        if entry > at and key % 8:  # no pointer: the table has ended
            return ""
    return ""


def _find_texts(regions: tuple[_Region, ...], text: bytes) -> dict[int, int]:
    """Addresses of the str objects that hold `text`, each with the offset of its characters."""
    found = {}
    for region, at in _find_all(regions, text):
        for text_offset in _TEXT_OFFSETS:
            start = at - text_offset
            if (
                start >= 0
                and (region.start + start) % 8 == 0
                and _length_at(region, start) == len(text)
                and region.content[at + len(text) : at + len(text) + 1] == b"\0"
            ):
                found[region.start + start] = text_offset
    return found


def _read_text(regions: tuple[_Region, ...], address: int, text_offset: int) -> bytes:
    for region in regions:
        start = address - region.start
        if 0 <= start < len(region.content) - text_offset:
            length = _length_at(region, start)
            text = start + text_offset
            return region.content[text : text + length] if 0 < length <= 64 else b""
    return b""


def _length_at(region: _Region, start: int) -> int:
    if start + _LENGTH_OFFSET + 8 > len(region.content):
        return -1
    (length,) = struct.unpack_from("<q", region.content, start + _LENGTH_OFFSET)
    return int(length)


def _find_pointers(regions: tuple[_Region, ...], address: int) -> Iterator[tuple[_Region, int]]:
    # Its upper two bytes are zero, and a search for what ends in a zero crawls through memory full of them.
    for region, at in _find_all(regions, struct.pack("<Q", address)[:6]):
        if (region.start + at) % 8 == 0 and region.content[at + 6 : at + 8] == b"\0\0":
            yield region, at


def _find_all(regions: tuple[_Region, ...], pattern: bytes) -> Iterator[tuple[_Region, int]]:
    for region in regions:
        at = region.content.find(pattern)
        while at >= 0:
            yield region, at
            at = region.content.find(pattern, at + 1)
