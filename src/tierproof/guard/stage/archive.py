"""The archive of a generation: one compressed tar that can lie on a mounted drive, and its safe way back."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from tierproof.core.atomic_write import write_text_atomically
from tierproof.core.hash_file import hash_file
from tierproof.core.read_bounded import open_regular, read_bounded
from tierproof.core.user_folders import find_user_data_folder
from tierproof.errors import OutputError
from tierproof.guard.capture.inventory import find_damage
from tierproof.guard.generations.generation import Generation, compute_id
from tierproof.guard.generations.generation_store import GenerationStore, read_generation
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.stage.bounded_tar import MOST_BYTES, BoundedTar
from tierproof.guard.stage.fetch_packages import refuse_special_files

ARCHIVE_NAME = "tierproof-packages.tar.gz"
LOCK_NAME = "pylock.toml"
_DESCRIPTIONS = ("generation.json", "inventory.json", "pylock.toml")
_CHUNK_BYTES = 1 << 20
_ADVICE = (
    "Nothing was restored: the archive is damaged or was changed. Save it again with `tierproof save`, or pass only "
    "the lock file: `tierproof recover --lock LOCK` downloads the packages."
)


def write_archive(store: GenerationStore, generation: Generation, folder: Path) -> str:
    """Write a generation's archive into `folder`, whole or not at all.

    Only what its inventory names goes in, in a fixed order and with fixed times: the same generation gives the
    same bytes. The digest is noted in the user's data folder, so that this machine knows the archive again.

    Returns:
        the hexadecimal SHA-256 of the archive.

    Raises:
        InstallError: the generation is damaged.
        OutputError: the folder cannot be written.
    """
    root = store.path(generation.id)
    damage = find_damage(root, generation.inventory)
    if damage:
        raise InstallError(
            f"the added packages were not saved, because {root / damage[0]} is missing or has changed",
            hint="Run `tierproof recover` to install them again from their lock file, then `tierproof save`.",
        )
    paths = sorted({path for files in generation.inventory.packages.values() for path, _ in files.iterate()})
    try:
        with _written_whole(folder / ARCHIVE_NAME) as temporary:
            with tarfile.open(temporary, "w:gz", compresslevel=1, format=tarfile.PAX_FORMAT) as archive:
                for path in (*_DESCRIPTIONS, *paths):
                    _add(archive, root, path)
            digest = hash_file(temporary)
            note_digest(digest)
    except OSError as error:
        raise OutputError(
            f"cannot write {folder / ARCHIVE_NAME}: {error.strerror or error}",
            hint="Choose a writable folder with enough space for the archive.",
        ) from error
    return digest


def copy_privately(path: Path, folder: Path) -> tuple[BinaryIO, str]:
    """Copy an archive to where only this process can change it; give the open copy, and the copy's SHA-256.

    Who can write to the drive can change a file between two looks at it, also one that is open. So it is read
    once: what is hashed is what is unpacked. The copy has no name, and is gone when it is closed.

    Args:
        path: of the archive.
        folder: where the copy takes its space.

    Raises:
        InstallError: it cannot be read, is not a regular file, or is larger than the free space.
    """
    try:
        with open_regular(path) as source, ExitStack() as stack:
            copy = stack.enter_context(tempfile.TemporaryFile(dir=folder))
            digest, left = hashlib.sha256(), min(shutil.disk_usage(folder).free, MOST_BYTES)
            while chunk := source.read(_CHUNK_BYTES):
                left -= len(chunk)
                if left < 0:
                    raise InstallError(
                        f"there is not enough space in {folder} for a copy of {path}",
                        hint="Free some space: `tierproof gc` removes added packages that are no longer used.",
                    )
                digest.update(chunk)
                copy.write(chunk)
            copy.seek(0)
            stack.pop_all()
            return copy, digest.hexdigest()
    except OSError as error:
        raise InstallError(
            f"cannot read {path}: {error.strerror or error}",
            hint="Check that you may read this file, and that the disk is not full.",
        ) from error


def read_archive(stream: BinaryIO, path: Path, folder: Path) -> Generation:
    """Unpack an archive into the empty `folder`, refuse what is hostile, and compare every file with the inventory.

    Args:
        stream: the archive, which nobody else can change.
        path: its name, for messages.
        folder: where to.

    Raises:
        InstallError: it is damaged, or contains what a generation cannot contain.
    """
    try:
        archive = BoundedTar(stream)
        for member in archive.iterate(shutil.disk_usage(folder).free):
            _extract(archive, member, folder)
        for name in _DESCRIPTIONS:
            read_bounded(folder / name)  # they are read whole
    except (tarfile.TarError, zlib.error, EOFError, ValueError, OSError, RecursionError) as error:
        raise InstallError(f"cannot unpack {path}: {error}", hint=_ADVICE) from error
    refuse_special_files(folder)
    generation = read_generation(folder)
    packages = generation.inventory.packages
    if generation.id != compute_id(generation.entries, packages, generation.position):
        raise InstallError(
            f"refused: the packages in {path} do not match the identifier {generation.id}, which is their hash",
            hint=_ADVICE,
        )
    damage = find_damage(folder, generation.inventory)
    if damage:
        raise InstallError(
            f"refused: {damage[0]} in {path} does not match the list of files in the archive", hint=_ADVICE
        )
    listed = {file for files in packages.values() for file, _ in files.iterate()}
    for root, _, names in os.walk(folder):
        for name in names:
            relative = Path(root, name).relative_to(folder).as_posix()
            if relative not in listed and relative not in _DESCRIPTIONS:
                raise InstallError(
                    f"refused: {path} contains {relative}, which is not in the list of files in the archive",
                    hint=_ADVICE,
                )
    return generation


def note_digest(digest: str) -> None:
    """Note that an archive or a lock of this digest was made, or trusted, on this machine."""
    noted = read_noted_digests()
    if digest not in noted:
        folder = find_user_data_folder()
        folder.mkdir(parents=True, exist_ok=True)
        write_text_atomically(folder / "archives.json", json.dumps(sorted({*noted, digest}), indent=1))


def read_noted_digests() -> frozenset[str]:
    """The digests of archives and locks that were made, or trusted, on this machine."""
    try:
        noted = json.loads(read_bounded(find_user_data_folder() / "archives.json"))
    except (OSError, ValueError, RecursionError):
        return frozenset()
    return frozenset(map(str, noted)) if isinstance(noted, list) else frozenset()


def _add(archive: tarfile.TarFile, root: Path, path: str) -> None:
    member = tarfile.TarInfo(path)
    status = (root / path).stat()
    member.size = status.st_size
    member.mode = 0o755 if status.st_mode & 0o100 else 0o644
    member.mtime = 315532800  # 1980-01-01, the earliest that a wheel can tell
    with (root / path).open("rb") as stream:
        archive.addfile(member, stream)


def _extract(archive: BoundedTar, member: tarfile.TarInfo, folder: Path) -> None:
    """Unpack one member: nothing but plain files inside `folder`, each once."""
    path = PurePosixPath(member.name)
    if member.isdir():
        return
    if not member.isreg():
        raise InstallError(f"refused: {member.name} in the archive is a link or a special file", hint=_ADVICE)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or "\0" in member.name:
        raise InstallError(
            f"refused: {member.name} in the archive would be unpacked outside of the target folder",
            hint=_ADVICE,
        )
    if member.mode & 0o6000:
        raise InstallError(f"refused: {member.name} in the archive is a set-uid file", hint=_ADVICE)
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as stream:
        for chunk in archive.read(member):
            stream.write(chunk)
    target.chmod(0o755 if member.mode & 0o100 else 0o644)


@contextmanager
def _written_whole(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".tierproof-", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
