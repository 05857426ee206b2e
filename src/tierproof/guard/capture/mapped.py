"""The native libraries that a process has mapped, and whether they are still on disk."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tierproof.guard.capture.build_id import find_build_id
from tierproof.guard.system.process import PROC, ProcessError, has_maps

_LINE = re.compile(
    r"([0-9a-f]+)-([0-9a-f]+) ([rwxsp-]{4}) ([0-9a-f]+) ([0-9a-f]+):([0-9a-f]+) (\d+)\s+(/.*)\Z"
)
_LIBRARY = re.compile(r"\.(so|pyd)(\.[\w.-]+)?\Z")
_DELETED = " (deleted)"
_COMPARED_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class MappedLibrary:
    """One native library as a process has it mapped.

    Attributes:
        path: as the kernel names it now; after a rename the new name (pip's `~umpy`).
        device: of the file that is mapped, as `os.makedev` gives it.
        inode: of the file that is mapped.
        deleted: the kernel's `(deleted)` mark. It stays after a correct reinstall and so proves nothing.
        start, end: addresses of the part mapped from the file's beginning; 0 if there is none.
        constant: whether that part is mapped without write permission.
    """

    path: str
    device: int
    inode: int
    deleted: bool
    start: int = 0
    end: int = 0
    constant: bool = False


def parse_maps(text: str) -> tuple[MappedLibrary, ...]:
    """Read the native libraries out of a /proc/PID/maps; lines that are anything else are left out."""
    found: dict[tuple[str, int, int], MappedLibrary] = {}
    known: set[str] = set()  # ends of lines, from the device on, of which nothing more is to be learned
    for line in text.split("\n"):
        if "/" not in line or (file := line.split(" ", 3)[-1]) in known:
            continue
        match = _LINE.match(line)
        if match is None:
            continue
        start, end, permissions, offset, major, minor, inode, path = match.groups()
        deleted = path.endswith(_DELETED)
        path = path.removesuffix(_DELETED).replace("\\012", "\n")
        if not _LIBRARY.search(path):
            known.add(file)
            continue
        device = os.makedev(int(major, 16), int(minor, 16))
        key = (path, device, int(inode))
        at_beginning = int(offset, 16) == 0
        if key not in found or (at_beginning and not found[key].end):
            span = (int(start, 16), int(end, 16)) if at_beginning else (0, 0)
            found[key] = MappedLibrary(
                path, device, int(inode), deleted, *span, constant="w" not in permissions
            )
        if found[key].end:
            known.add(file)
    return tuple(found.values())


def read_mapped_libraries(pid: int, below: Iterable[Path] = ()) -> tuple[MappedLibrary, ...]:
    """List what process `pid` has mapped.

    Args:
        pid: of the process.
        below: folders; of a process that has nothing inside them mapped, nothing is listed.

    Raises:
        ProcessError: the process does not exist or belongs to another user, or the system has no /proc/PID/maps.
    """
    try:
        with open(f"{PROC}/{pid}/maps", errors="surrogateescape") as stream:  # noqa: PTH123 - of every process
            text = stream.read()
    except (FileNotFoundError, ProcessLookupError) as error:
        if not has_maps():
            raise ProcessError(
                "this system does not show which libraries a process has loaded",
                hint="Call `tp.doctor()` inside the process: it compares the loaded modules with the disk.",
            ) from error
        raise ProcessError(
            f"there is no process {pid}", hint="List your processes with `ps -u $USER`."
        ) from error
    except PermissionError as error:
        raise ProcessError(
            f"process {pid} belongs to another user and cannot be inspected",
            hint="Run the command as the user who owns the process.",
        ) from error
    except OSError as error:
        raise ProcessError(
            f"process {pid} cannot be inspected: {error.strerror or error}",
            hint="Call `tp.doctor()` inside the process: it compares the loaded modules with the disk.",
        ) from error
    folders = [f"{folder}/".replace("\n", "\\012") for folder in below]
    return parse_maps(text) if not folders or any(folder in text for folder in folders) else ()


def is_replaced(pid: int, library: MappedLibrary, path: Path) -> bool:
    """Tell whether the file now at `path` is another one than `library`, by its content.

    The same device and inode are the same file. Otherwise build-ids decide, or the first segment byte for
    byte. Where the process's memory cannot be read, a file that is marked deleted counts as replaced.
    """
    try:
        status = path.stat()
    except OSError:
        return True
    if (status.st_dev, status.st_ino) == (library.device, library.inode):
        return False
    mapped = read_beginning(pid, library)
    if not mapped:
        return library.deleted
    return not holds(mapped, path, constant=library.constant)


def holds(mapped: bytes, path: Path, *, constant: bool) -> bool:
    """Tell whether the file at `path` begins with, or carries the build-id of, what was `mapped`."""
    try:
        with path.open("rb") as stream:
            beginning = stream.read(len(mapped))
    except OSError:
        return False
    known, here = find_build_id(mapped), find_build_id(beginning)
    if known and here:
        return known == here
    # Beyond the end of the file the rest of the last page is zero.
    return not constant or mapped[: len(beginning)] == beginning


def read_beginning(pid: int, library: MappedLibrary) -> bytes:
    """Read the first bytes of `library` out of the process's memory; empty if that is not allowed."""
    length = min(library.end - library.start, _COMPARED_BYTES)
    if length <= 0:
        return b""
    try:
        with (PROC / str(pid) / "mem").open("rb", buffering=0) as stream:
            stream.seek(library.start)
            return stream.read(length)
    except (OSError, ValueError, OverflowError):
        return b""


def site_roots(libraries: Iterable[MappedLibrary]) -> tuple[Path, ...]:
    """The site-packages and dist-packages folders that `libraries` were mapped from."""
    roots = {}
    for library in libraries:
        match = re.match(r"(.*?/(?:site|dist)-packages)/", library.path)
        if match:
            roots[match[1]] = Path(match[1])
    return tuple(roots.values())
