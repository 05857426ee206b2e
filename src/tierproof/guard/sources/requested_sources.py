"""Requests that only a build can serve: planned with what is known of them, and their gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tierproof.guard.commands.gap import Gap, GapReason
from tierproof.guard.commands.requirement import RequestedPackage, Source
from tierproof.guard.resolve.lock import Lock
from tierproof.guard.resolve.reachable_hosts import find_unreachable
from tierproof.guard.resolve.resolve import Resolver
from tierproof.guard.resolve.source_release import RequirementsOrigin, SourceRelease
from tierproof.guard.sources.find_sources import adopt_requested


@dataclass(frozen=True, slots=True)
class PlannedSources:
    """The requirement lines of a request, with a stub in place of what must be built, and what is not known.

    Attributes:
        requested: with the names of the sources; those of which nothing is known are gaps alone.
        lines: as uv reads them, one for each of `requested`.
        gaps: one for each requested source whose own metadata was not built.
    """

    requested: tuple[RequestedPackage, ...]
    lines: tuple[str, ...]
    gaps: tuple[Gap, ...]


def plan_sources(requested: Sequence[RequestedPackage], resolver: Resolver) -> PlannedSources:
    """Adopt what is known of each requested repository, folder and source archive.

    Raises:
        PlanError: the index cannot be asked.
    """
    known: list[RequestedPackage] = []
    lines: list[str] = []
    gaps: list[Gap] = []
    environment = resolver.settings.environment
    for item in requested:
        if item.source is Source.WHEEL and (gone := find_unreachable([_find_url(item)], environment)):
            gaps.extend(
                Gap(GapReason.INDEX, item.text, f"{host} cannot be reached ({gone[host]})") for host in gone
            )
            continue
        if item.source is not Source.BUILD:
            known.append(item)
            lines.append(item.line)
            continue
        adopted = adopt_requested(item, resolver)
        source, failure = (None, adopted) if isinstance(adopted, str) else (adopted, adopted.failure)
        if source is not None:
            known.append(replace(item, name=source.name))
            extras = f"[{','.join(item.extras)}]" if item.extras else ""
            lines.append(f"{source.name}{extras}=={source.stub_version}")
        may_build = resolver.may_build(item.name, item.text, source.name if source else "")
        if source is None or not (may_build and source.is_certain):
            gaps.append(
                make_build_gap(
                    item.text, item.name or (source.name if source else "") or item.text, source, failure
                )
            )
    return PlannedSources(tuple(known), tuple(lines), tuple(gaps))


def _find_url(item: RequestedPackage) -> str:
    return item.line.partition(" @ ")[2] or item.line


def list_build_gaps(lock: Lock | None, resolver: Resolver) -> tuple[Gap, ...]:
    """Return a gap for each release of the index in `lock` that would be built and whose metadata was not."""
    found = {(item.name, item.version) for item in (lock.packages if lock else ()) if item.built}
    return tuple(
        make_build_gap(source.text, source.name, source, source.failure)
        for source in resolver.sources
        if not source.direct
        and not (resolver.may_build(source.name) and source.is_certain)
        and (lock is None or (source.name, source.version) in found)
    )


def list_index_gaps(resolver: Resolver) -> tuple[Gap, ...]:
    """Return a gap for each further index that could not be asked."""
    return tuple(
        Gap(
            GapReason.INDEX,
            host,
            f"this index cannot be reached ({reason}); the rest of the plan was made without it",
        )
        for host, reason in resolver.unreachable.items()
    )


def make_build_gap(text: str, name: str, source: SourceRelease | None, failure: str) -> Gap:
    """Say that something must be built first, why its build failed, and what stands in for its requirements."""
    basis = RequirementsOrigin.NOTHING if source is None else source.basis
    reason = failure or (
        f"pip would build {name} from source" if text != name else "pip would build it from source"
    )
    told = "known" if basis is RequirementsOrigin.NOTHING else f"certain; the plan uses {basis.value}"
    return Gap(GapReason.BUILD, text, f"{reason}, so its requirements are not {told}", name)
