"""Messages between a process and its worker: a small header each, and memory that is handed over, not sent.

Data of a mebibyte and more lies in memory without a name (a memfd; elsewhere an unlinked temporary file). The
sender writes it once, the receiver maps it: one copy. Less travels with the header.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import socket
import struct
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tierproof.guard.isolate.parcel import Parcel, unpack

INLINE_BYTES = 1 << 20
_ALIGNMENT = 64  # what vector instructions want of an array's first byte
_LENGTHS = struct.Struct("!QQ")
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Message:
    """A received message.

    Attributes:
        header: its description; `kind` is the type of message.
        sizes: in bytes, of the pickle and of each buffer; empty without an object.
        memory: holds the pickle and the buffers, each at a multiple of 64 bytes.
    """

    header: Mapping[str, Any]
    sizes: Sequence[int] = ()
    memory: memoryview | None = None

    @property
    def bytes(self) -> int:
        """Size of the pickle and the buffers together."""
        return sum(self.sizes)

    @property
    def was_mapped(self) -> bool:
        """Whether buffers came in memory that was handed over."""
        return len(self.sizes) > 1 and isinstance(getattr(self.memory, "obj", None), mmap.mmap)

    def open(self) -> Any:
        """Return the object that came along; its arrays live in the memory that was handed over."""
        assert self.memory is not None
        parts, start = [], 0
        for size in self.sizes:
            parts.append(self.memory[start : start + size])
            start = _align(start + size)
        return unpack(parts[0], parts[1:])


class Channel:
    """One end of a connected pair of stream sockets."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._inbox = bytearray()
        self._descriptors: deque[int] = deque()

    def fileno(self) -> int:
        """The socket's descriptor, for select."""
        return self._socket.fileno()

    def send(self, header: Mapping[str, Any], parcel: Parcel | None = None) -> None:
        """Send one message, waiting while the other end is busy.

        Raises:
            OSError: the other end is gone (BrokenPipeError), or memory or disk ran out.
        """
        parts = [] if parcel is None else [memoryview(parcel.payload), *parcel.buffers]
        sizes = [part.nbytes for part in parts]
        total = _measure(sizes)
        inline = total < INLINE_BYTES
        text = json.dumps({**header, "sizes": sizes, "inline": inline}).encode()
        head = _LENGTHS.pack(len(text), total if inline else 0) + text
        if not parts or inline:
            self._socket.sendall(head + _join(parts, total))
            return
        descriptor = _make_memory()
        try:
            _fill(descriptor, parts, total)
            sent = socket.send_fds(self._socket, [head], [descriptor])
        finally:
            os.close(descriptor)
        self._socket.sendall(head[sent:])

    def receive(self) -> Message | None:
        """Wait for a message; None when the other end is gone."""
        while (message := self.take()) is None:
            if not self.read():
                return None
        return message

    def read(self) -> bool:
        """Read what is there, waiting for the first byte; False when the other end is gone."""
        flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
        try:
            piece, descriptors, _, _ = socket.recv_fds(self._socket, _PIECE_BYTES, 8, flags)
        except ConnectionResetError:
            return False
        self._inbox += piece
        self._descriptors.extend(descriptors)
        return bool(piece)

    def take(self) -> Message | None:
        """Return the next message that has arrived whole, or None."""
        if len(self._inbox) < _LENGTHS.size:
            return None
        text_bytes, inline_bytes = _LENGTHS.unpack_from(self._inbox)
        start = _LENGTHS.size + text_bytes
        if len(self._inbox) < start + inline_bytes:
            return None
        header = json.loads(self._inbox[_LENGTHS.size : start])
        inline = self._inbox[start : start + inline_bytes]
        del self._inbox[: start + inline_bytes]
        sizes = header.pop("sizes")
        if not sizes:
            return Message(header)
        if header.pop("inline"):
            return Message(header, sizes, memoryview(inline))
        descriptor = self._descriptors.popleft()
        try:
            return Message(header, sizes, memoryview(mmap.mmap(descriptor, _measure(sizes))))
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Close this end, and what was handed over and not taken."""
        self._socket.close()
        while self._descriptors:
            os.close(self._descriptors.popleft())


def _make_memory() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("tierproof", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _fill(descriptor: int, parts: Sequence[memoryview], total: int) -> None:
    os.ftruncate(descriptor, total)
    if not hasattr(os, "memfd_create"):
        with contextlib.suppress(AttributeError):
            # A full disk must show here: in mapped memory it would be a fatal signal.
            os.posix_fallocate(descriptor, 0, total)
    start = 0
    for part in parts:
        view = part.cast("B") if part.nbytes else memoryview(b"")
        written = 0
        while written < len(view):
            written += os.pwrite(descriptor, view[written:], start + written)
        start = _align(start + len(view))


def _join(parts: Sequence[memoryview], total: int) -> bytes:
    joined = bytearray(total)
    start = 0
    for part in parts:
        joined[start : start + part.nbytes] = part
        start = _align(start + part.nbytes)
    return bytes(joined)


def _measure(sizes: Sequence[int]) -> int:
    start = end = 0
    for size in sizes:
        end = start + size
        start = _align(end)
    return end


def _align(position: int) -> int:
    return -(-position // _ALIGNMENT) * _ALIGNMENT
