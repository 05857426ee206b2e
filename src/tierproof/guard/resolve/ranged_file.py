"""A file on a web server, of which only the pieces that are read are fetched."""

from __future__ import annotations

import io
import os
from collections.abc import Callable

_PIECE_BYTES = 1 << 16


class RangedFile(io.RawIOBase):
    """Reads pieces of a remote file through `fetch_range`.

    Args:
        fetch_range: gives the bytes from the first offset up to, not including, the second.
        length: of the whole file, in bytes.
    """

    def __init__(self, fetch_range: Callable[[int, int], bytes], length: int) -> None:
        self._fetch_range = fetch_range
        self._length = length
        self._position = 0
        self._start = 0
        self._piece = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The offset of the next byte."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to an offset."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Read up to `size` bytes, all that is left when negative."""
        left = max(0, self._length - self._position)
        size = left if size is None or size < 0 else min(size, left)
        begin = self._position - self._start
        if size and not 0 <= begin <= len(self._piece) - size:
            # A directory lies at the end of its archive: near the end, what lies before is read next.
            whole = max(size, _PIECE_BYTES)
            self._start = max(0, min(self._position, self._length - whole))
            self._piece = self._fetch_range(self._start, min(self._length, self._start + whole))
            begin = self._position - self._start
        self._position += size
        return self._piece[begin : begin + size]
