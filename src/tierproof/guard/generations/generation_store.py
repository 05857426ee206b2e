"""Where the generations of one environment lie, and which of them is the present one.

<environment folder>/
    generations/<id>/site/          on sys.path
    generations/<id>/bin/, data/    console scripts, wheel data
    generations/<id>/generation.json, inventory.json, pylock.toml
    staging/<process>-<random>/     being made; becomes generations/<id> by one rename
    history/<number>.json           what was activated when, by whom
    locks/<id>.toml                 by which a generation can be installed again, exactly
    launchers.json                  console scripts put into a script folder
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from tierproof.guard.capture.inventory import find_damage, parse_inventory
from tierproof.guard.generations.exchange import exchange
from tierproof.guard.generations.generation import Generation, PastRequest, Position
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.resolve.pylock import format_pylock
from tierproof.guard.system.process import process_start_ticks

_ID = re.compile(r"[0-9a-f]{20}\Z")


@dataclass(frozen=True, slots=True)
class GenerationStore:
    """The generations in `folder`, the environment's own folder."""

    folder: Path

    @property
    def generations(self) -> Path:
        """The folder of all generations."""
        return self.folder / "generations"

    def path(self, identifier: str) -> Path:
        """The folder of one generation.

        Raises:
            InstallError: `identifier` is not an id; it may come from a file that another user wrote.
        """
        if not _ID.match(identifier):
            raise InstallError(f"{identifier!r} is not the name of a folder of added packages")
        return self.generations / identifier

    def site(self, identifier: str) -> Path:
        """The folder of one generation that stands on sys.path."""
        return self.path(identifier) / "site"

    def lock_file(self, identifier: str) -> Path:
        """The lock of a generation that was activated once; it stays when the generation is removed."""
        return self.folder / "locks" / f"{self.path(identifier).name}.toml"

    def list(self) -> tuple[str, ...]:
        """Ids of every generation that is there, whole or not, sorted."""
        try:
            entries = list(os.scandir(self.generations))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise InstallError(
                f"cannot read {self.generations}: {error.strerror or error}",
                hint="Make this folder readable: it contains the added packages.",
            ) from error
        return tuple(sorted(entry.name for entry in entries if entry.is_dir() and _ID.match(entry.name)))

    def read(self, identifier: str) -> Generation:
        """Read one generation.

        Raises:
            InstallError: it is absent, or cannot be read.
        """
        return read_generation(self.path(identifier))

    def find_by_site(self, entry: str) -> str | None:
        """The id of the generation whose `site` folder `entry` is, there or not; None for anything else."""
        if os.path.basename(entry) != "site":  # noqa: PTH119 - called for every entry of sys.path
            return None
        path = Path(os.path.realpath(entry)).parent
        return (
            path.name
            if _ID.match(path.name) and path.parent == Path(os.path.realpath(self.generations))
            else None
        )

    def make_staging(self) -> Path:
        """Make an empty folder on the generations' own file system, named for this process.

        Raises:
            InstallError: it cannot be written.
        """
        try:
            (self.folder / "staging").mkdir(parents=True, exist_ok=True)
            self.generations.mkdir(exist_ok=True)
            prefix = self.name_staging("").name
            return Path(tempfile.mkdtemp(prefix=prefix, dir=self.folder / "staging"))
        except OSError as error:
            raise InstallError(
                f"cannot write to {self.folder}: {error.strerror or error}",
                hint="Make this folder writable, or free some space. To store added packages elsewhere, set "
                "XDG_DATA_HOME to a writable folder.",
            ) from error

    def name_staging(self, suffix: str) -> Path:
        """Name a folder in the staging folder for this process; it is not made."""
        began = process_start_ticks(os.getpid()) or 0
        return self.folder / "staging" / f"{os.getpid()}-{began}-{suffix}"

    def admit(self, staged: Path, identifier: str) -> Path:
        """Return a staged generation its name by one rename.

        One that is there already wins if it is whole; a damaged one changes places with it, so that a kill
        leaves one of both present.
        """
        target = self.path(identifier)
        try:
            if target.exists():
                if self.is_whole(identifier) or exchange(staged, target):
                    return target
                target.rename(Path(f"{staged}-damaged"))  # `recover` heals a kill between the two
            staged.rename(target)
        except OSError as error:
            raise InstallError(
                f"cannot write {target}: {error.strerror or error}",
                hint="Nothing was changed. Make this folder writable, or free some space.",
            ) from error
        return target

    def is_whole(self, identifier: str, *, read: bool = True) -> bool:
        """Tell whether a generation is there with every file.

        Args:
            identifier: of the generation.
            read: compare hashes; otherwise presence and size alone.
        """
        try:
            inventory = self.read(identifier).inventory
        except InstallError:
            return False
        return not find_damage(self.path(identifier), inventory, read=read)

    def clear_staging(self) -> None:
        """Remove what installs left behind that were killed. Call it with the environment locked.

        What resists stays until the next time: it is in nobody's way.
        """
        strays = (
            (self.folder, ".launchers.json."),
            (self.folder, ".environment.json."),
            (self.folder / "history", "."),
            (self.folder / "locks", "."),
        )
        for folder, start in strays:
            with contextlib.suppress(OSError):
                for stray in folder.glob(f"{start}*"):
                    stray.unlink(missing_ok=True)
        try:
            entries = list((self.folder / "staging").iterdir())
        except OSError:
            return
        for entry in entries:
            pid, _, rest = entry.name.partition("-")
            began = process_start_ticks(int(pid)) if pid.isdigit() else None
            if began is None or rest.partition("-")[0] != str(began) or int(pid) == os.getpid():
                shutil.rmtree(entry, ignore_errors=True)


def write_generation(folder: Path, generation: Generation) -> None:
    """Write the description, the inventory and the lock into a staged generation's folder."""
    names = sorted(generation.entries)
    (folder / "inventory.json").write_text(
        generation.inventory.to_json(), encoding="utf-8", errors="surrogateescape"
    )
    (folder / "pylock.toml").write_text(
        format_pylock(generation.entries[name] for name in names), encoding="utf-8"
    )
    (folder / "generation.json").write_text(generation.to_json(), encoding="utf-8")


def read_generation(folder: Path) -> Generation:
    """Read what `write_generation` wrote.

    Raises:
        InstallError: it is absent or damaged.
    """
    try:
        document = json.loads((folder / "generation.json").read_text(encoding="utf-8"))
        lock = tomllib.loads((folder / "pylock.toml").read_text(encoding="utf-8"))
        inventory = parse_inventory(
            (folder / "inventory.json").read_text(encoding="utf-8", errors="surrogateescape")
        )
        return Generation(
            str(document["id"]),
            Position(document["position"]),
            tuple(
                PastRequest(str(each["text"]), str(each["name"]), str(each["specifier"]))
                for each in document["requests"]
            ),
            tuple(map(str, document["shadows"])),
            tuple(map(str, document["waived"])),
            {canonicalize_name(str(entry["name"])): entry for entry in lock.get("packages", [])},
            inventory,
            bool(document["tried"]),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InstallError(
            f"the record of the added packages in {folder} is missing or damaged: {error}",
            hint="Nothing was changed. Run `tierproof recover` to restore these packages, or `tierproof rollback` to "
            "go back to earlier ones.",
        ) from error
