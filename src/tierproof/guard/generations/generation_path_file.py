"""Activation: one path file names the present generation.

The `.pth` in a site directory comes behind the base on `sys.path`, the one in the user's site before it (seen on
CPython 3.11-3.13). Normally only one of the two exists. While the position changes, both may exist for a moment:
then the one in front counts, so that every process sees either the old or the new generation.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tierproof.guard.generations.generation import Position
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.system.adopted_folder import NamedFolder
from tierproof.guard.system.environment_folder import find_foreign_folder
from tierproof.guard.system.path_file import (
    UnspeakablePathError,
    list_path_files,
    read_named_folders,
    spell_folder,
)
from tierproof.guard.system.run_child import run_child

# Of files that get their name by a rename; a kill may leave one, and the next install removes it.
STRAY_PREFIX = ".tierproof-new-"


@dataclass(frozen=True, slots=True)
class PathFiles:
    """Where this interpreter's path files may lie.

    Attributes:
        behind: in a site directory that can be written, else in the user's; None where neither can.
        front: in the user's site directory; None if this interpreter does not use one, or it cannot be written.
        legible: every place where one may have been put, that in front first.
    """

    behind: Path | None
    front: Path | None
    legible: tuple[tuple[Position, Path], ...]


@dataclass(frozen=True, slots=True)
class Present:
    """The generation that new processes of this environment see.

    Attributes:
        id: of the generation.
        site: the folder that the path file names.
        file: the path file.
        position: where that path file puts it.
    """

    id: str
    site: str
    file: Path
    position: Position


def find_path_files() -> PathFiles:
    """Find out where this interpreter reads path files from, and which of those places can be written."""
    *users, own_file = list_path_files()
    user_file = users[0] if users else None
    front = user_file if user_file is not None and _can_write(user_file.parent) else None
    behind = own_file if _can_write(own_file.parent) else front
    legible = [] if user_file is None else [(Position.FRONT, user_file)]
    return PathFiles(behind, front, (*legible, (Position.BEHIND, own_file)))


def read_present(store: GenerationStore, files: PathFiles | None = None) -> Present | None:
    """Find the generation that the path files name; None if they name no generation of this store."""
    for position, file in (files or find_path_files()).legible:
        found = _read_identifier(store, file)
        if found is not None:
            return Present(*found, file, position)
    return None


def _read_identifier(store: GenerationStore, file: Path) -> tuple[str, str] | None:
    """Return the id and the folder that a path file names; None if it names no generation of this store."""
    for entry in read_named_folders(file):
        identifier = store.find_by_site(entry)
        if identifier is not None:
            return identifier, entry
    return None


def choose_path_file(position: Position, files: PathFiles) -> Path | None:
    """Return the path file for a position; None if a shadow can be visible in the calling process only.

    Raises:
        InstallError: no site directory can be written.
    """
    if position is Position.FRONT:
        return files.front
    if files.behind is None:
        raise InstallError(
            "packages cannot be added: neither site-packages nor the user site-packages is writable",
            hint="Nothing was changed. Make one of these folders writable: "
            f"{', '.join(str(file.parent) for _, file in files.legible)}",
        )
    return files.behind


def write_path_file(store: GenerationStore, file: Path, folder: Path, files: PathFiles) -> None:
    """Name `folder` in the path file, by one rename, and remove the other one.

    Raises:
        InstallError: it cannot be written; the existing installation is unchanged.
    """
    refuse_foreign(file)
    before = _read_whole(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _replace(file, f"{_spell(folder, file)}\n".encode("ascii"), folder)
    except OSError as error:
        raise InstallError(
            f"cannot write {file}: {error.strerror or error}",
            hint=f"Nothing was changed. Make {file.parent} writable, or free some space.",
        ) from error
    try:
        remove_path_files(store, files, keep=file)
    except InstallError as error:
        try:
            file.unlink() if before is None else _replace(file, before)
        except OSError as second:
            raise InstallError(
                f"{error.message}, and the change to {file} could not be undone: {second.strerror or second}",
                hint="New Python processes would load two sets of added packages, the earlier and the new one. Delete "
                f"one of these files ({file} names the new set): {', '.join(str(each) for _, each in files.legible)}",
            ) from second
        raise


def _read_whole(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InstallError(
            f"cannot read {file}: {error.strerror or error}",
            hint="Nothing was changed. Make this file readable: it names the folder of the added packages.",
        ) from error


def _replace(file: Path, content: bytes, folder: Path | None = None) -> None:
    """Give a path file its content by one rename; `folder` is what it names, where that is to be proved first."""
    descriptor, temporary = tempfile.mkstemp(prefix=STRAY_PREFIX, dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)  # noqa: PTH101 - mkstemp gives a str
        if folder is not None and os.fsdecode(content.strip()) != str(folder):
            _prove(Path(temporary), folder)
        os.replace(temporary, file)  # noqa: PTH105
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108
        raise


def refuse_foreign(file: Path | None) -> None:
    """Refuse to overwrite a path file that names packages which this process may not manage.

    Raises:
        InstallError: the message names them, and the hint the way out.
    """
    named = None if file is None else find_foreign_folder(file)
    if named is None or not _is_there(named):
        return
    locks = named.folder / "locks" / f"{_name_generation(named)}.toml"
    same = (
        f" To add the same packages again afterwards, run `tierproof recover --lock {locks}`: it only reads that file."
        if locks.is_file()
        else ""
    )
    raise InstallError(
        f"refused: this environment already loads added packages from {named.folder}, by its path file {named.file}, "
        f"but tierproof cannot manage that folder: {named.refusal}",
        hint=(
            "Run tierproof as the user and in the environment that added these packages. To remove them here, "
            f"delete {named.file}.{same}"
        ),
    )


def _is_there(named: NamedFolder) -> bool:
    """Tell whether the folder may still hold packages: one that cannot be looked at counts as there."""
    try:
        (named.folder / "generations").lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _name_generation(named: NamedFolder) -> str:
    return next((Path(entry).parent.name for entry in read_named_folders(named.file)), "")


def _spell(folder: Path, file: Path) -> str:
    try:
        return spell_folder(folder, file)
    except UnspeakablePathError:
        raise InstallError(
            f"the packages cannot be loaded from {str(folder)!r}: Python reads .pth files in the encoding of the "
            "locale, and this path is not plain ASCII",
            hint="Set TIERPROOF_DATA to a folder whose path has only ASCII characters. Otherwise no Python of this "
            "environment would start under LC_ALL=C.",
        ) from None


# What the interpreter does with the path file at its start, in a locale that knows nothing but ASCII.
_READ = """
import os, site, sys
folder, name, wanted = sys.argv[1:]
site.addpackage(folder, name, set())
sys.exit(not any(os.path.isdir(entry) and os.path.samefile(entry, wanted) for entry in sys.path))
"""


def _prove(file: Path, folder: Path) -> None:
    """Have the interpreter read a path file under its most limited locales, before it counts.

    Raises:
        InstallError: one of them does not read the folder from it.
    """
    for locale in ("C", "POSIX", "en_US.ISO-8859-1"):
        environment = {**os.environ, "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        command = [sys.executable, "-S", "-c", _READ, str(file.parent), file.name, str(folder)]
        status = run_child(command, environment=environment, limit_s=60).status
        if status != 0:
            raise InstallError(
                f"the packages cannot be loaded from {str(folder)!r}: with LC_ALL={locale}, Python does not find "
                "that folder",
                hint="Set TIERPROOF_DATA to a folder whose path has only ASCII characters.",
            )


def remove_path_files(store: GenerationStore, files: PathFiles, *, keep: Path | None = None) -> None:
    """Remove this store's path files, that in front last: until then it is the one that counts.

    Raises:
        InstallError: one cannot be removed.
    """
    for _, file in reversed(files.legible):
        if file == keep or _read_identifier(store, file) is None:
            continue
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise InstallError(
                f"cannot remove {file}: {error.strerror or error}",
                hint=f"Make {file.parent} writable, then run the command again.",
            ) from error


def clear_strays(folders: Iterable[Path]) -> None:
    """Remove what a kill left half-made in these folders. The caller holds the environment lock."""
    for folder in folders:
        with contextlib.suppress(OSError):  # of another user, or in a folder that cannot be read or written
            for stray in folder.glob(f"{STRAY_PREFIX}*"):
                stray.unlink()


def _can_write(folder: Path) -> bool:
    """Tell whether a file can be put into `folder`, which is made where it is absent."""
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
