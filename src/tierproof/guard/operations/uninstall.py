"""Uninstall: makes a generation without some packages, and without dependencies that only they needed."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from tierproof.errors import UsageError
from tierproof.guard.capture.base import capture_base
from tierproof.guard.generations.activate import activate
from tierproof.guard.generations.generation import Generation
from tierproof.guard.generations.generation_path_file import read_present
from tierproof.guard.generations.generation_store import GenerationStore, write_generation
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.judge.unmet_bounds import list_required
from tierproof.guard.operations.change_environment import change_environment
from tierproof.guard.operations.receipt import Receipt
from tierproof.guard.stage.assemble import GenerationContents, keep_needed, link_kept
from tierproof.guard.system.environment_folder import find_environment_folder
from tierproof.guard.system.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True)
class _Remainder:
    """What is left: packages that stay, and what is asked for still."""

    kept: tuple[str, ...]
    removed: tuple[str, ...]


def uninstall_packages(names: Sequence[str], *, in_process: bool) -> Receipt:
    """Remove added packages, and the dependencies that were added only for them.

    Args:
        names: of added packages; packages of the base are never removed.
        in_process: apply it to the calling process at once, unless it has loaded a removed package.

    Raises:
        UsageError: one was not added by tierproof, or another added package needs it.
        InstallError: the uninstall failed; the existing installation is unchanged.
    """
    watch = Stopwatch()
    store = GenerationStore(find_environment_folder())
    with change_environment(store):
        present = read_present(store)
        if present is None:
            raise UsageError(
                "tierproof has added no packages to this environment, so there is nothing to uninstall",
                hint="Use pip for packages that tierproof did not add; `tierproof list` shows those it added.",
            )
        generation = store.read(present.id)
        remainder = _choose(store, generation, [canonicalize_name(name) for name in names])
        smaller = _make(store, generation, remainder) if remainder.kept else None
        activated = activate(store, smaller, "uninstall", requested=names, in_process=in_process)
    return Receipt(
        "uninstall",
        "" if smaller is None else smaller.id,
        generation.id,
        removed=remainder.removed,
        path_entry="" if smaller is None else str(store.site(smaller.id)),
        restart_needed=activated.restart_needed,
        in_process=in_process,
        launchers=activated.launchers,
        notes=activated.notes,
        parts_s=watch.parts_s,
        duration_s=watch.total_s(),
    )


def _choose(store: GenerationStore, generation: Generation, names: Collection[str]) -> _Remainder:
    added = generation.versions
    foreign = [name for name in names if name not in added]
    if foreign:
        raise UsageError(
            f"nothing was uninstalled, because {foreign[0]} was not added by tierproof",
            hint=f"tierproof can uninstall {', '.join(sorted(added)) or 'nothing here'}; use pip for other packages.",
        )
    requires = list_required(store.site(generation.id), capture_base())
    roots = [each.name for each in generation.requests if each.name not in names]
    needed = keep_needed(generation, requires, roots)
    for name in names:
        if name in needed:
            users = sorted(each for each in needed if name in requires.get(each, ()))
            raise UsageError(
                f"nothing was uninstalled, because {name} is needed by {', '.join(users)}",
                hint=f"To uninstall all of them:  tierproof uninstall {' '.join([*names, *users])}",
            )
    return _Remainder(tuple(sorted(needed)), tuple(sorted(set(added) - needed)))


def _make(store: GenerationStore, present: Generation, remainder: _Remainder) -> Generation:
    requests = tuple(each for each in present.requests if each.name in remainder.kept)
    shadows = tuple(name for name in present.shadows if name in remainder.kept)
    contents = GenerationContents((), remainder.kept, None, present, requests, shadows, present.waived)
    staging = store.make_staging()
    try:
        (staging / "site").mkdir()
        kept = link_kept(store, contents, staging, {})
        generation = contents.describe(kept, tried=present.tried)
        write_generation(staging, generation)
        store.admit(staging, generation.id)
    except OSError as error:
        raise InstallError(
            f"cannot write to {store.folder}: {error.strerror or error}",
            hint="Nothing was uninstalled. Make this folder writable, or free some space.",
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return store.read(generation.id)
