"""Console scripts of the present generation, put where the shell finds them; nothing is ever overwritten."""

from __future__ import annotations

import contextlib
import json
import os
import site
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tierproof.core.atomic_write import write_text_atomically
from tierproof.core.hash_file import hash_file
from tierproof.core.read_bounded import read_bounded
from tierproof.errors import OutputError
from tierproof.guard.generations.generation import Generation
from tierproof.guard.generations.generation_path_file import STRAY_PREFIX
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.generations.install_error import InstallError


@dataclass(frozen=True, slots=True)
class Launchers:
    """The console scripts that were created, and those that were not.

    Attributes:
        folder: where they are.
        created: names put there, or there already.
        taken: names of files that tierproof did not create, and so left alone.
        notes: sentences: the folder is not the interpreter's own, two packages bring one name, a script is missing.
    """

    folder: str = ""
    created: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def sync_launchers(store: GenerationStore, generation: Generation | None) -> Launchers:
    """Put the generation's console scripts into a script folder, and remove those of others.

    A script is removed only where it is still, byte for byte, what was put there. The packages are in place by
    then, so what fails here is told, and is no error.
    """
    wanted = _list_scripts(store, generation)
    folder, note = _choose_folder()
    try:
        written = _read_notes(store)
    except OSError as error:
        return Launchers(notes=(f"cannot read {error.filename}, so console scripts stay as they were.",))
    noted = _gather_notes(store, folder) if written is None else written
    if not wanted:
        folder, note = "", ""
    notes = [*([note] if note else []), *_list_shared(generation)]
    targets = {str(Path(folder) / name): (source, digest) for name, (source, digest) in wanted.items()}
    try:
        # Noted before they are made: a kill in between leaves a note of nothing, never a script of nobody's.
        foreseen = {**noted, **{path: digest for path, (_, digest) in targets.items()}}
        if foreseen != (written or {}):
            _write_notes(store, foreseen)
    except OutputError as error:
        return Launchers(folder, notes=(*notes, f"{error.message}, so console scripts stay as they were."))
    kept = _remove_all({path: digest for path, digest in noted.items() if path not in targets}, notes)
    made: list[str] = []
    taken: list[str] = []
    for path, (source, digest) in targets.items():
        try:
            ours = _put(Path(path), source, digest, noted.get(path, ""))
        except OSError as error:
            notes.append(f"The console script {path} could not be created: {error.strerror or error}.")
            continue
        (made if ours else taken).append(path)
    try:
        lasting = {**kept, **{path: targets[path][1] for path in made}}
        if lasting != foreseen:
            _write_notes(store, lasting)
    except OutputError as error:  # the notes made before are longer than need be, and do
        notes.append(f"{error.message}.")
    names = [tuple(Path(path).name for path in paths) for paths in (made, taken)]
    return Launchers(folder, names[0], names[1], tuple(notes))


def list_script_folders() -> tuple[Path, ...]:
    """Return the folders that scripts may be put into: the interpreter's own, and the user's."""
    return Path(sysconfig.get_path("scripts")), Path(site.getuserbase()) / (
        "Scripts" if os.name == "nt" else "bin"
    )


def _list_scripts(store: GenerationStore, generation: Generation | None) -> dict[str, tuple[Path, str]]:
    if generation is None:
        return {}
    root = store.path(generation.id)
    return {
        path.removeprefix("bin/"): (root / path, stamp.sha256)
        for files in generation.inventory.packages.values()
        for path, stamp in files.scripts.items()
        if "/" not in path.removeprefix("bin/")
    }


def _list_shared(generation: Generation | None) -> list[str]:
    """Say which scripts several packages bring: one name leads to one of them."""
    owners: dict[str, list[str]] = {}
    for name, files in {} if generation is None else generation.inventory.packages.items():
        for path in files.scripts:
            owners.setdefault(path.removeprefix("bin/"), []).append(name)
    return [
        f"{' and '.join(names)} both contain the console script {script}; only one of them is in place."
        for script, names in sorted(owners.items())
        if len(names) > 1
    ]


def _choose_folder() -> tuple[str, str]:
    """Return the interpreter's own script folder where it can be written, else the user's."""
    own, user = map(str, list_script_folders())
    if os.access(own, os.W_OK | os.X_OK):
        return own, ""
    on_path = user in os.environ.get("PATH", "").split(os.pathsep)
    return user, f"Cannot write to {own}, so the console scripts are in {user}" + (
        "." if on_path else ", which is not on PATH."
    )


def _put(target: Path, source: Path, digest: str, noted: str) -> bool:
    """Put one script there unless somebody else's is; tell whether it is there now.

    Raises:
        OSError: it cannot be written.
    """
    if target.is_symlink() and not target.exists():
        return False
    present = hash_file(target) if target.exists() else ""
    if present == digest:
        return True
    if present and present != noted:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        _copy(source, target, replace=bool(present))
    except FileExistsError:  # it came meanwhile
        return False
    return True


def _copy(source: Path, target: Path, *, replace: bool) -> None:
    """Write a whole script under its name; without `replace`, a file that came meanwhile wins."""
    descriptor, temporary = tempfile.mkstemp(prefix=STRAY_PREFIX, dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(source.read_bytes())
        os.chmod(temporary, 0o755)  # noqa: PTH101 - mkstemp gives a str
        if replace:
            os.replace(temporary, target)  # noqa: PTH105
        else:
            os.link(temporary, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108


def _remove_all(scripts: Mapping[str, str], notes: list[str]) -> dict[str, str]:
    """Remove scripts; give those that could not be, and say so in `notes`."""
    kept = {}
    for path, digest in scripts.items():
        try:
            _remove(Path(path), digest)
        except OSError as error:
            kept[path] = digest
            notes.append(f"The console script {path} cannot be removed: {error.strerror or error}.")
    return kept


def _remove(path: Path, digest: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        if hash_file(path) == digest:
            path.unlink()


def _read_notes(store: GenerationStore) -> dict[str, str] | None:
    """Read which scripts were put where, with their digests; None if that is not known any more."""
    try:
        notes = json.loads(read_bounded(store.folder / "launchers.json"))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return {str(path): str(digest) for path, digest in notes.items()} if isinstance(notes, dict) else None


def _gather_notes(store: GenerationStore, folder: str) -> dict[str, str]:
    """Tell from the generations themselves which scripts in `folder` are theirs, byte for byte."""
    found: dict[str, str] = {}
    for identifier in store.list():
        with contextlib.suppress(InstallError, OSError):
            for name, (_, digest) in _list_scripts(store, store.read(identifier)).items():
                path = Path(folder) / name
                if path.is_file() and hash_file(path) == digest:
                    found[str(path)] = digest
    return found


def _write_notes(store: GenerationStore, notes: Mapping[str, str]) -> None:
    write_text_atomically(store.folder / "launchers.json", json.dumps(dict(sorted(notes.items())), indent=1))
