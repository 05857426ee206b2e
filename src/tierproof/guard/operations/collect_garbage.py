"""Removes generations, and layers of workers, that no process can have on its path any more."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tierproof.core.json_value import JsonValue
from tierproof.core.plain_html import show_plainly
from tierproof.guard.generations.activate import list_live_sites
from tierproof.guard.generations.activation_history import read_history
from tierproof.guard.generations.generation_path_file import read_present
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.generations.generation_users import find_live_processes, find_users
from tierproof.guard.isolate.collect_layers import collect_layers
from tierproof.guard.operations.change_environment import change_environment
from tierproof.guard.system.environment_folder import find_environment_folder

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Collected:
    """The result of a garbage collection.

    Attributes:
        removed: ids of what was removed; those of workers' layers begin with `isolated/`.
        kept: the reason for each id that was kept.
        bytes: space freed, without files that other generations share.
    """

    removed: tuple[str, ...]
    kept: tuple[tuple[str, str], ...]
    bytes: int

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the `gc --json` document."""
        return {
            "format_version": FORMAT_VERSION,
            "removed": list(self.removed),
            "kept": [{"generation": name, "reason": reason} for name, reason in self.kept],
            "bytes": self.bytes,
        }

    def describe(self) -> str:
        """Return it as plain text."""
        count = len(self.removed) + len(self.kept)
        lines = [
            f"gc: removed {len(self.removed)} of {count} folders of added packages, {self.bytes / 1e6:.1f} MB"
        ]
        lines += [f"  - {name}" for name in self.removed]
        lines += [f"    {name} stays: {reason}" for name, reason in self.kept]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.describe()

    def _repr_html_(self) -> str:
        return show_plainly(self.describe())


def collect_garbage(*, keep: int = 1) -> Collected:
    """Remove generations and layers that are not in use, each by one rename. The present generation stays.

    A generation is in use if a running process may have it on its path; a layer is in use if a running process
    refers to it, or if it was used within the last hour.

    Args:
        keep: how many unused generations to keep for a rollback, the latest first.

    Raises:
        EnvironmentBusyError: another process is changing this environment.
    """
    store = GenerationStore(find_environment_folder())
    with change_environment(store, must_record=False):
        reasons = _find_reasons(store, keep)
        removed, freed = [], 0
        for identifier in store.list():
            if identifier not in reasons:
                size = _measure(store.path(identifier))
                grave = store.name_staging(identifier)  # not made: a full disk lets rename, not make
                try:
                    store.path(identifier).rename(grave)
                except OSError as error:
                    reasons[identifier] = f"it cannot be removed: {error.strerror or error}"
                    continue
                shutil.rmtree(grave, ignore_errors=True)
                freed += size
                removed.append(identifier)
    layers, kept_layers = collect_layers(store.folder / "isolated")
    return Collected(
        (*removed, *(f"isolated/{name}" for name in layers)),
        (*sorted(reasons.items()), *((f"isolated/{name}", reason) for name, reason in kept_layers.items())),
        freed + sum(layers.values()),
    )


def _find_reasons(store: GenerationStore, keep: int) -> dict[str, str]:
    """Return the reason why each generation that stays does."""
    history = read_history(store)
    processes = find_live_processes()
    present = read_present(store)
    reasons: dict[str, str] = {}
    for identifier in store.list():
        if present is not None and identifier == present.id:
            reasons[identifier] = "it holds the packages that are added now"
        elif identifier in list_live_sites(store):
            reasons[identifier] = "this process has it on its sys.path"
        elif processes is None:
            reasons[identifier] = "this system does not show which processes use it"
        elif users := find_users(store, identifier, history, processes):
            reasons[identifier] = f"process {users[0]} may use it"
    order = list(dict.fromkeys(entry.generation for entry in reversed(history) if entry.generation))
    for identifier in [each for each in order if each in store.list() and each not in reasons][:keep]:
        reasons[identifier] = "it is kept for a rollback"
    return reasons


def _measure(folder: Path) -> int:
    """Bytes that go with a folder; a file with another name elsewhere stays, and one that hides counts nothing."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                status = os.lstat(os.path.join(root, name))  # noqa: PTH118 - of thousands of files
                total += status.st_size if status.st_nlink == 1 else 0
    return total
