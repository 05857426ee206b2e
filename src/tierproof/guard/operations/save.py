"""Save: writes the present generation's lock and archive, for `recover` on this or another machine."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

from tierproof.core.atomic_write import write_text_atomically
from tierproof.core.json_value import JsonValue
from tierproof.core.plain_html import show_plainly
from tierproof.errors import OutputError, UsageError
from tierproof.guard.generations.generation_path_file import read_present
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.generations.saved_lock import format_saved_lock
from tierproof.guard.stage.archive import ARCHIVE_NAME, LOCK_NAME, note_digest, write_archive
from tierproof.guard.system.environment_folder import locate_environment_folder

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Saved:
    """The files that were written.

    Attributes:
        generation: the id.
        lock: the `pylock.toml`.
        archive: the archive beside it.
        sha256: of the archive, hexadecimal.
        bytes: of the archive.
        duration_s: wall time in seconds.
    """

    generation: str
    lock: str
    archive: str
    sha256: str
    bytes: int
    duration_s: float

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the `save --json` document."""
        return {
            "format_version": FORMAT_VERSION,
            "generation": self.generation,
            "lock": self.lock,
            "archive": self.archive,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "duration_s": self.duration_s,
        }

    def describe(self) -> str:
        """Return it as text, with the commands that recover it."""
        folder = Path(self.archive).parent
        return (
            f"saved {self.archive} ({self.bytes / 1e6:.1f} MB) and {self.lock}\n"
            f"On this machine: tierproof recover {folder}\n"
            f"On another machine: keep a copy of the lock file where only you can write, and run\n"
            f"  tierproof recover {folder} --lock COPY_OF_{LOCK_NAME}"
        )

    def __str__(self) -> str:
        return self.describe()

    def _repr_html_(self) -> str:
        return show_plainly(self.describe())


def save_generation(folder: Path) -> Saved:
    """Write the present generation's archive and lock into `folder`, the archive first.

    Raises:
        UsageError: no packages are added in this environment.
        InstallError: the generation is damaged.
        OutputError: the folder cannot be written.
    """
    began = time.perf_counter()
    store = GenerationStore(locate_environment_folder())
    present = read_present(store)
    if present is None:
        raise UsageError(
            "tierproof has added no packages to this environment, so there is nothing to save",
            hint="Add packages with `tierproof install`; for others, keep the output of `pip freeze`.",
        )
    generation = store.read(present.id)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot create {folder}: {error.strerror or error}", hint="Name a folder that you may write to."
        ) from error
    digest = write_archive(store, generation, folder)
    lock = format_saved_lock(generation, digest)
    note_digest(hashlib.sha256(lock.encode()).hexdigest())
    write_text_atomically(folder / LOCK_NAME, lock)
    archive = folder / ARCHIVE_NAME
    return Saved(
        generation.id,
        str(folder / LOCK_NAME),
        str(archive),
        digest,
        archive.stat().st_size,
        time.perf_counter() - began,
    )
