"""The folder for what belongs to one environment. It lies outside of it, in the user's data folder."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from pathlib import Path

from tierproof.core.user_folders import find_user_data_folder
from tierproof.errors import OutputError
from tierproof.guard.system.adopted_folder import NamedFolder, find_named_folder, note_identity
from tierproof.guard.system.path_file import PATH_FILE, PathFileError, list_path_files, read_named_folders
from tierproof.guard.system.search_path import read_search_path

_LONGEST_NAME = 24
_SITE = re.compile(r"(.*)/lib(?:64)?/python(\d+)\.(\d+)t?/(?:site|dist)-packages\Z")


def find_environment_folder(prefix: str = sys.prefix, *, cache_tag: str = "") -> Path:
    """Give the folder for what is kept about the environment at `prefix`; it is made where it is absent.

    Args:
        prefix: of the environment, as sys.prefix names it.
        cache_tag: of its interpreter, as sys.implementation names it; the running one's by default.

    Raises:
        OutputError: the folder can be neither made nor written to.
    """
    return _make(locate_environment_folder(prefix, cache_tag))


def _make(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error.strerror or str(error)) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _unwritable(folder, "permission denied")
    return folder


def locate_environment_folder(prefix: str = sys.prefix, cache_tag: str = "") -> Path:
    """Give that folder's path, whether it is there or not; nothing is written.

    It is the one that the environment's path file names, if that is this user's and of no other environment: so
    another HOME or a moved environment finds what was added. Otherwise it lies in the user's data folder; its name
    is readable and ends in a hash of the resolved prefix and the interpreter's cache tag, so two Pythons in one
    prefix have a folder each. Only its owner may read it.
    """
    own = _locate_own(prefix, cache_tag)
    if os.path.realpath(prefix) != os.path.realpath(sys.prefix) or cache_tag not in ("", _tag()):
        return own
    named = find_named_folder(own, list_path_files(), os.path.realpath(prefix), _tag())
    return own if named is None or named.refusal else named.folder


def find_foreign_folder(file: Path) -> NamedFolder | None:
    """Give the folder that a path file of this environment names, if it is not one that this process may change."""
    named = find_named_folder(_locate_own(sys.prefix, ""), [file], os.path.realpath(sys.prefix), _tag())
    return named if named is not None and named.refusal else None


def _locate_own(prefix: str, cache_tag: str) -> Path:
    return find_user_data_folder() / "environments" / name_environment(prefix, cache_tag)


def tell_unreached_packages() -> list[str]:
    """Give a sentence for each path file that names packages which are gone, or not managed from here."""
    told = []
    for file in list_path_files():
        try:
            gone = [entry for entry in read_named_folders(file) if not os.path.isdir(entry)]  # noqa: PTH112
            foreign = find_foreign_folder(file)
        except PathFileError as error:
            told.append(error.message)
            continue
        if gone:
            told.append(f"{file} names {gone[0]}, which does not exist: the packages added there are gone")
        elif foreign is not None:
            told.append(
                f"{file} names packages in {foreign.folder}, which tierproof cannot manage: {foreign.refusal}"
            )
    return told


def note_environment(folder: Path, file: Path) -> None:
    """Note in its folder which environment it belongs to, and which path file names it.

    Raises:
        OutputError: it cannot be written.
    """
    note_identity(folder, os.path.realpath(sys.prefix), _tag(), file)


def _tag() -> str:
    return sys.implementation.cache_tag or sys.implementation.name


def find_folder_of_site(root: Path) -> Path:
    """Give the folder of the environment that the site directory `root` belongs to.

    Raises:
        OutputError: as `find_environment_folder`.
    """
    real = os.path.realpath(root)
    if any(os.path.realpath(entry or ".") == real for entry in read_search_path()):
        return find_environment_folder()
    match = _SITE.match(real)
    if match is None:
        return find_environment_folder(real)
    prefix, tag = match[1], f"cpython-{match[2]}{match[3]}"
    # Debian's Python has its prefix in /usr and installs to /usr/local.
    if prefix == "/usr/local" and not Path(f"/usr/local/bin/python{match[2]}.{match[3]}").exists():
        prefix = "/usr"
    own = _locate_own(prefix, tag)
    named = find_named_folder(own, [root / PATH_FILE], prefix, tag)
    return _make(own if named is None or named.refusal else named.folder)


def name_environment(prefix: str = sys.prefix, cache_tag: str = "") -> str:
    """Give the name of that folder, such as `venv-cp311-1a2b3c4d`."""
    real = os.path.realpath(prefix)
    tag = cache_tag or _tag()
    key = hashlib.sha256(f"{real}\0{tag}".encode(errors="surrogateescape")).hexdigest()[:8]
    stem = re.sub(r"[^A-Za-z0-9]+", "-", os.path.basename(real)).strip("-")  # noqa: PTH119
    return f"{stem[:_LONGEST_NAME].lower() or 'root'}-{tag.replace('cpython-', 'cp')}-{key}"


def _unwritable(folder: Path, reason: str) -> OutputError:
    return OutputError(
        f"cannot write to {folder}: {reason}",
        hint="tierproof keeps the packages that it adds to this environment there. "
        "Set XDG_DATA_HOME (or TIERPROOF_DATA) to a folder that you may write to.",
    )
