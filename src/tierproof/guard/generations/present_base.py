"""The base that a new generation rests on: what is installed, with the present generation in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tierproof.guard.capture.base import Base, capture_base
from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.capture.loaded_distributions import Loaded
from tierproof.guard.generations.activation_history import read_history
from tierproof.guard.generations.generation import Generation, Position
from tierproof.guard.generations.generation_path_file import Present, read_present
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.generations.generation_users import find_live_processes, find_loaded_added, find_users
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.system.search_path import read_search_path


@dataclass(frozen=True, slots=True)
class PresentBase:
    """The state that an install starts from.

    Attributes:
        base: every installed package, those of the present generation among them.
        generation: the present one, or None.
        session_only: it is visible in the calling process only.
    """

    base: Base
    generation: Generation | None
    session_only: bool = False

    @property
    def id(self) -> str:
        """The id of the present generation; empty if there is none."""
        return "" if self.generation is None else self.generation.id


def capture_present_base(
    store: GenerationStore, find_loaded: Callable[[Sequence[InstalledDistribution]], Loaded]
) -> PresentBase:
    """Capture what is installed and which generation is present.

    Args:
        store: of this environment.
        find_loaded: finds the loaded ones among the installed distributions.

    Raises:
        InstallError: the present generation cannot be read or is damaged, or this process runs another one.
    """
    present = read_present(store)
    live = next(
        (each for entry in read_search_path() if (each := store.find_by_site(entry)) is not None), None
    )
    session_only = live is not None and _is_session_only(store, live, present)
    identifier = live if session_only else (present.id if present is not None else None)
    generation = None if identifier is None else store.read(identifier)
    base = capture_base(find_loaded, _arrange(store, generation))
    if generation is None:
        return PresentBase(base, None)
    _refuse_missing(store, base, generation)
    loaded = find_loaded_added(store)
    _refuse_other_versions(loaded, generation)
    held = set(loaded)
    if _may_be_in_use(store, generation.id):
        held |= set(generation.versions)
    added = frozenset(generation.versions)
    names = frozenset((base.loaded.names - added) | held)
    return PresentBase(
        replace(
            base,
            loaded=replace(base.loaded, names=names),
            added=added,
            replaceable=frozenset(added - held),
            held={each.name: each.specifier for each in generation.requests if each.name},
        ),
        generation,
        session_only,
    )


def _is_session_only(store: GenerationStore, live: str, present: Present | None) -> bool:
    """Tell whether this process runs a generation with shadows that no path file names."""
    if present is not None and present.id == live:
        return False
    own = [entry for entry in read_history(store) if entry.generation == live]
    return bool(own) and own[-1].session_only


def _arrange(store: GenerationStore, generation: Generation | None) -> tuple[str, ...]:
    paths = [entry for entry in read_search_path() if store.find_by_site(entry) is None]
    if generation is not None:
        site = str(store.site(generation.id))
        paths.insert(0 if generation.position is Position.FRONT else len(paths), site)
    return tuple(paths)


def _refuse_missing(store: GenerationStore, base: Base, generation: Generation) -> None:
    """Refuse to plan on packages of which the disk no longer has the metadata."""
    missing = sorted(set(generation.versions) - set(base.by_name))
    if missing:
        raise InstallError(
            f"the added packages in {store.path(generation.id)} are damaged: {missing[0]} is missing",
            hint="Run `tierproof recover` to restore these packages, or `tierproof rollback` to go back to earlier "
            "ones.",
        )


def _refuse_other_versions(loaded: Mapping[str, str], generation: Generation) -> None:
    versions = generation.versions
    other = {name: version for name, version in loaded.items() if versions.get(name) != version}
    if other:
        name, version = next(iter(other.items()))
        raise InstallError(
            f"this kernel has loaded {name} {version}, but the added packages on disk have "
            f"{versions.get(name, 'no version of it')}",
            hint="Another process changed the added packages. Restart this kernel, then install again.",
        )


def _may_be_in_use(store: GenerationStore, identifier: str) -> bool:
    """Tell whether any other live process may have loaded something of a generation."""
    processes = find_live_processes()
    return processes is None or bool(find_users(store, identifier, read_history(store), processes))
