"""The archive of a generation: one compressed tar that can lie on a mounted drive, and its safe way back."""

from __future__ import annotations

import json
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from tierproof.core.atomic_write import write_text_atomically
from tierproof.core.hash_file import hash_file
from tierproof.core.user_folders import find_user_data_folder
from tierproof.errors import OutputError
from tierproof.guard.capture.inventory import find_damage
from tierproof.guard.generations.generation import Generation, compute_id
from tierproof.guard.generations.generation_store import GenerationStore, read_generation
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.stage.fetch_packages import refuse_special_files

ARCHIVE_NAME = "tierproof-packages.tar.gz"
LOCK_NAME = "pylock.toml"
_DESCRIPTIONS = ("generation.json", "inventory.json", "pylock.toml")
_CHUNK_BYTES = 1 << 20
# A small archive that unpacks to terabytes is an attack, not a package.
_MOST_BYTES = 64 << 30
_MOST_FILES = 1_000_000


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
            f"cannot save the added packages: generation {generation.id} is damaged: "
            f"{damage[0]} is missing or has changed",
            hint="Run `tierproof recover` to install them again from their lock, then `tierproof save`.",
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


def read_archive(path: Path, folder: Path) -> Generation:
    """Unpack an archive into the empty `folder`, refuse what is hostile, and compare every file with the inventory.

    Raises:
        InstallError: it is damaged, or contains what a generation cannot contain.
    """
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in _iterate_members(archive):
                _extract(archive, member, folder)
    except (tarfile.TarError, EOFError, ValueError, OSError) as error:
        raise InstallError(f"cannot unpack {path}: {error}") from error
    refuse_special_files(folder)
    generation = read_generation(folder)
    packages = generation.inventory.packages
    if generation.id != compute_id(generation.entries, packages, generation.position):
        raise InstallError(f"refused: {path} does not contain the generation that it names")
    damage = find_damage(folder, generation.inventory)
    if damage:
        raise InstallError(f"refused: {damage[0]} in {path} does not match its inventory")
    listed = {file for files in packages.values() for file, _ in files.iterate()}
    for root, _, names in os.walk(folder):
        for name in names:
            relative = Path(root, name).relative_to(folder).as_posix()
            if relative not in listed and relative not in _DESCRIPTIONS:
                raise InstallError(f"refused: {path} contains {relative}, which is not in its inventory")
    return generation


def note_digest(digest: str) -> None:
    """Note that an archive of this digest was made, or trusted, on this machine."""
    noted = read_noted_digests()
    if digest not in noted:
        folder = find_user_data_folder()
        folder.mkdir(parents=True, exist_ok=True)
        write_text_atomically(folder / "archives.json", json.dumps(sorted({*noted, digest}), indent=1))


def read_noted_digests() -> frozenset[str]:
    """The digests of archives that were made, or trusted, on this machine."""
    try:
        noted = json.loads((find_user_data_folder() / "archives.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
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


def _iterate_members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    total = 0
    for count, member in enumerate(archive):
        total += member.size
        if count > _MOST_FILES or total > _MOST_BYTES:
            raise InstallError("refused: the archive unpacks to more data than a generation can contain")
        yield member


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Unpack one member: nothing but plain files inside `folder`, each once."""
    path = PurePosixPath(member.name)
    if member.isdir():
        return
    if not member.isreg():
        raise InstallError(f"refused: {member.name} in the archive is a link or a special file")
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or "\0" in member.name:
        raise InstallError(f"refused: {member.name} in the archive points outside of it")
    if member.mode & 0o6000:
        raise InstallError(f"refused: {member.name} in the archive is a set-uid file")
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    source = archive.extractfile(member)
    assert source is not None  # it is a regular file
    with target.open("xb") as stream:
        while chunk := source.read(_CHUNK_BYTES):
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
