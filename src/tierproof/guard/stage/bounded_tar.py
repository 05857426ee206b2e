"""Reads the members of a compressed tar from a stranger: what its headers take is bounded before it is read."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from tierproof.guard.generations.install_error import InstallError

# Of one member with all its extended headers. A path has at most 4096 bytes; nothing else is needed.
_MOST_HEADER_BYTES = 1 << 16
# A small archive that unpacks to terabytes is an attack, not a package.
MOST_BYTES = 64 << 30
MOST_FILES = 1_000_000


class _Rationed(io.RawIOBase):
    """A stream of which only so many bytes may be read at a time; tarfile reads a header at one go."""

    def __init__(self, source: gzip.GzipFile) -> None:
        super().__init__()
        self._source = source
        self.left = 0

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self.left:
            raise InstallError(
                f"refused: the archive has a file header of more than {_MOST_HEADER_BYTES >> 10} KiB, which no valid "
                "file name needs",
                hint="`tierproof save` never writes such a header: the archive is damaged, or was made to exhaust the "
                "memory.",
            )
        self.left -= size
        return self._source.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        return self._source.tell()


class BoundedTar:
    """The members of a `.tar.gz`, one after the other; none of them is kept in memory."""

    def __init__(self, stream: BinaryIO) -> None:
        self._ration = _Rationed(gzip.GzipFile(fileobj=stream, mode="rb"))
        self._ration.left = _MOST_HEADER_BYTES
        self._archive = tarfile.TarFile(fileobj=self._ration, mode="r")

    def iterate(self, room_bytes: int) -> Iterator[tarfile.TarInfo]:
        """Yield each member; read its content before the next.

        Args:
            room_bytes: how much there is space for.

        Raises:
            InstallError: the archive holds more than there is room for, or than a generation can hold.
        """
        total = count = 0
        while True:
            self._ration.left = _MOST_HEADER_BYTES
            member = self._archive.next()
            if member is None:
                return
            self._archive.members = []  # type: ignore[attr-defined]  # tarfile keeps each, to find it again
            if self._archive.pax_headers:
                raise InstallError(
                    "refused: the archive has a global (pax) header, which would apply to every file in it",
                    hint="Nothing was restored. `tierproof save` never writes such a header, so the archive is damaged "
                    "or was changed: save the packages again.",
                )
            count += 1
            total += member.size
            if count > MOST_FILES or total > MOST_BYTES or member.size < 0:
                raise InstallError(
                    f"refused: the archive unpacks to more than {MOST_BYTES >> 30} GiB or {MOST_FILES:,} "
                    "files, more than tierproof accepts",
                    hint="Recover without the archive: `tierproof recover --lock LOCK` downloads the packages.",
                )
            if total > room_bytes:
                raise InstallError(
                    f"the archive unpacks to more than the {room_bytes / 1e9:.1f} GB that are free",
                    hint="Free some space: `tierproof gc` removes added packages that are no longer used.",
                )
            yield member

    def read(self, member: tarfile.TarInfo, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        """Yield the content of a regular member in chunks."""
        self._ration.left = member.size
        source = self._archive.extractfile(member)
        assert source is not None  # it is a regular file
        while chunk := source.read(chunk_bytes):
            yield chunk
