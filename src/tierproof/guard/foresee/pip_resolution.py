"""Resolves a command as pip or uv does: the newest release, wheel or not, and installed versions where they fit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from tierproof.guard.capture.base import Base
from tierproof.guard.commands.gap import Gap
from tierproof.guard.commands.pip_command import PipCommand, Program
from tierproof.guard.commands.requirement import RequestedPackage, Source
from tierproof.guard.foresee.command_wish import Wish, read_settings
from tierproof.guard.foresee.pip_search import search_as_pip
from tierproof.guard.resolve.lock import Lock
from tierproof.guard.resolve.resolve import Freedom, Resolver, Unsolvable
from tierproof.guard.sources.find_sources import adopt_missing, adopt_newer
from tierproof.guard.sources.refusals import find_refusals
from tierproof.guard.sources.requested_sources import (
    PlannedSources,
    list_build_gaps,
    list_index_gaps,
    plan_sources,
)
from tierproof.guard.system.scratch_folder import open_scratch_folder

_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class PipResolution:
    """The answer.

    Attributes:
        lock: what pip would have in the end; None if nothing was found.
        gaps: what was not worked out.
        refused: why pip refuses it, where that is proven.
        words: uv's message where nothing was found and nothing is proven.
    """

    lock: Lock | None
    gaps: tuple[Gap, ...] = ()
    refused: str = ""
    words: str = ""


def resolve_as_pip(command: PipCommand, wish: Wish, resolver: Resolver, limit_s: float) -> PipResolution:
    """Resolve what a command asks for.

    Args:
        command: as read.
        wish: its requirements; those whose markers do not hold are left out already.
        resolver: on the base.
        limit_s: seconds of resolving after which no release without a wheel is looked for.

    Raises:
        PlanError: the index cannot be asked.
    """
    planned = plan_sources((*wish.resolvable, *wish.built), resolver)
    if not planned.lines:
        return PipResolution(None, planned.gaps)
    freedom = choose_freedom(command, planned.requested, resolver.base, wish.constraints)
    found = resolver.resolve(planned.lines, freedom)
    if isinstance(found, Unsolvable):
        refused = find_refusals(wish.resolvable, resolver, wheels_only=command.wheels_only)
        if refused:
            return PipResolution(None, refused="; ".join(refused.values()))
        if not command.wheels_only and adopt_missing(resolver, planned.lines):
            found = resolver.resolve(planned.lines, freedom)
    for _ in range(_ROUNDS):
        if isinstance(found, Unsolvable) or command.wheels_only or resolver.spent_s > limit_s:
            break
        if not adopt_newer(resolver, found, planned.lines):
            break
        again = resolver.resolve(planned.lines, freedom)
        found = found if isinstance(again, Unsolvable) else again
    if (
        isinstance(found, Lock)
        and _may_be_searched(command, planned, wish, resolver, limit_s)
        and not _is_foregone(found, resolver)
    ):
        searched = search_as_pip(
            planned.lines,
            found,
            freedom.preferred,
            resolver,
            wheels_only=command.wheels_only,
            until_s=limit_s,
        )
        found = searched or found
    lock = found if isinstance(found, Lock) else None
    gaps = (*planned.gaps, *list_build_gaps(lock, resolver), *list_index_gaps(resolver))
    return PipResolution(lock, gaps, words=found.words if isinstance(found, Unsolvable) else "")


def _may_be_searched(
    command: PipCommand, planned: PlannedSources, wish: Wish, resolver: Resolver, limit_s: float
) -> bool:
    """Tell whether pip's own search is followed: of packages of the index, with time left."""
    return (
        command.program is Program.PIP
        and not command.no_deps
        and not wish.built
        and not wish.constraints
        and all(item.source is Source.INDEX for item in planned.requested)
        and resolver.spent_s <= limit_s
    )


def _is_foregone(lock: Lock, resolver: Resolver) -> bool:
    """Tell whether every order of a search ends the same: nothing is replaced, and all that is new is the newest."""
    base = resolver.base
    new = {item.name: item for item in lock.packages if item.version != str(base.version(item.name))}
    if new.keys() & base.by_name.keys():
        return False
    newest = resolver.locate(sorted(new)) if new else Lock(())
    return isinstance(newest, Lock) and all(
        (chosen := new.get(item.name)) is None or item.version == chosen.version for item in newest.packages
    )


def choose_freedom(
    command: PipCommand, requested: Sequence[RequestedPackage], base: Base, constraints: Sequence[str]
) -> Freedom:
    """Return which installed versions the command keeps where it can."""
    everything = frozenset(base.by_name)
    if command.force_reinstall or (command.eager and command.upgrade):
        preferred: frozenset[str] = frozenset()
    else:
        renewed = {item.name for item in requested} if command.upgrade else set()
        renewed |= {canonicalize_name(name) for name in command.upgrade_packages}
        preferred = everything - renewed
    return Freedom(preferred=preferred, constraints=tuple(constraints))


@contextmanager
def open_pip_resolver(
    command: PipCommand,
    wish: Wish,
    base: Base,
    variables: Mapping[str, str],
    *,
    limit_s: float,
    exclude_newer: str = "",
    allow_build: Collection[str] = (),
) -> Iterator[Resolver]:
    """Return a resolver with the settings of a command; what it writes is removed afterwards."""
    settings = read_settings(command, wish.options, variables)
    any_python = command.program is Program.PIP and "ignore-requires-python" in command.other_options
    with open_scratch_folder() as folder:
        yield Resolver(
            base,
            folder,
            settings,
            allow_build,
            limit_s,
            exclude_newer,
            dependencies=not command.no_deps,
            any_python=any_python,
        )
