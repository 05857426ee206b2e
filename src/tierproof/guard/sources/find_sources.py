"""Finds the releases without a wheel that pip would build, and has a resolver plan with what is known of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from packaging.requirements import Requirement
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from tierproof.guard.commands.requirement import RequestedPackage, Source
from tierproof.guard.resolve.lock import Lock, LockedPackage, find_url
from tierproof.guard.resolve.locked_requires import read_locked_metadata
from tierproof.guard.resolve.plan_error import PlanError
from tierproof.guard.resolve.resolve import Freedom, Resolver, Unsolvable
from tierproof.guard.resolve.sdist_metadata import DeclaredProject, read_project_folder, read_sdist
from tierproof.guard.resolve.source_release import (
    RequirementsOrigin,
    SourceRelease,
    is_version,
    read_declared,
)
from tierproof.guard.resolve.wheel_metadata import WheelMetadata
from tierproof.guard.resolve.wheel_tags import rank_tags
from tierproof.guard.sources.build_metadata import BuiltMetadata, build_metadata

_ROUNDS = 6
_AT_ONCE = 8
_UNTOLD = "0"  # the version of a project whose version only a build tells


def adopt_missing(resolver: Resolver, lines: Sequence[str]) -> bool:
    """Adopt the releases without a wheel that the newest answer to `lines` has to build, dependencies among them.

    Call it when a resolution with wheels alone has failed.

    Returns:
        whether there was one that the resolver did not know.

    Raises:
        PlanError: the index cannot be asked.
    """
    asked = dict.fromkeys(lines)
    seen: set[tuple[str, frozenset[str]]] = set()
    found = False
    for _ in range(_ROUNDS):
        lock = resolver.locate(list(asked))
        if isinstance(
            lock, Unsolvable
        ):  # bounds of several owners disagree: each name by itself is near enough
            lock = resolver.locate(sorted({_read_name(line) for line in asked} - {""}))
        if isinstance(lock, Unsolvable):
            break
        extras = _read_extras(asked)
        chosen = {item: frozenset(extras.get(item.name, ())) for item in lock.packages}
        new = [item for item, asked_for in chosen.items() if (item.name, asked_for) not in seen]
        sources = [item for item in new if _must_be_built(item, resolver)]
        if resolver.exclude_by_python([item.name for item in sources]):
            continue
        seen |= {(item.name, chosen[item]) for item in new}
        found = _adopt_all(sources, resolver) or found
        more = [
            line
            for item in new
            for line in _list_dependencies(item, resolver, chosen[item])
            if line not in asked
        ]
        if not more:
            break
        asked |= dict.fromkeys(more)
    return found


def adopt_newer(resolver: Resolver, lock: Lock, lines: Sequence[str]) -> bool:
    """Adopt releases without a wheel that are newer than those in `lock`: pip takes the newest, wheel or not.

    Args:
        resolver: that gave the lock.
        lock: a resolution.
        lines: its requirement lines.

    Returns:
        whether there was one that the resolver did not know.

    Raises:
        PlanError: the index cannot be asked.
    """
    base = resolver.base
    new = [
        item
        for item in lock.packages
        if not item.direct and not item.built and item.version != str(base.version(item.name))
    ]
    if not new:
        return False
    bounded: dict[str, list[str]] = {}
    for line in lines:
        bounded.setdefault(_read_name(line), []).append(line)
    newest = resolver.locate([line for item in new for line in bounded.get(item.name, [item.name])])
    ahead = _list_ahead(new, newest, resolver)
    if not ahead:
        # An older release may have been taken because the newest needs one that has no wheel.
        return _is_behind(new, newest) and adopt_missing(resolver, lines)
    names = {item.name for item in ahead}
    bounds = [line for line in lines if (name := _read_name(line)) and name in names]
    bounds += [
        line
        for item in lock.packages
        for line in _list_dependencies(item, resolver)
        if _read_name(line) in names
    ]
    asked = list(dict.fromkeys([*bounds, *sorted(names)]))
    allowed = resolver.locate(asked)
    if resolver.exclude_by_python(names):
        allowed = resolver.locate(asked)
    return _adopt_all(_list_ahead(ahead, allowed, resolver), resolver, locked=allowed)


def adopt_release(item: LockedPackage, resolver: Resolver) -> LockedPackage:
    """Adopt a release of the index without a wheel; return it with what is known of it."""
    source = next(
        (each for each in resolver.sources if (each.name, each.version) == (item.name, item.version)), None
    )
    if source is None:
        source = _read_release(item, resolver)
        resolver.adopt(source)
    return replace(item, known=source.known, entry=source.entry)


def adopt_requested(item: RequestedPackage, resolver: Resolver) -> SourceRelease | str:
    """Adopt a requested repository, folder or source archive with what is known of it without a build.

    What a build tells is taken where the resolver may build it. Of a repository, the last release of the same
    name is taken.

    Returns:
        what was adopted; where not even its name is known, why its build failed (empty where none was tried).
    """
    project = _read_requested(item)
    name = item.name or (project.name if project else "") or guess_name(item.text)
    may_build = resolver.may_build(name, item.name, item.text)
    failure = ""
    if may_build and not (project is not None and project.is_static and "directory" in project.place):
        built = _build(_find_address(item), resolver)
        if isinstance(built, BuiltMetadata):
            entry = {"name": built.name, "version": built.version, **built.place}
            source = SourceRelease(
                built.name,
                built.version,
                item.text,
                RequirementsOrigin.BUILT,
                built.known,
                entry,
                direct=True,
            )
            resolver.adopt(source)
            return source
        failure = built
    if project is not None and name:
        version = project.version if is_version(project.version) else _UNTOLD
        source = SourceRelease(
            name,
            version,
            item.text,
            _judge_basis(project),
            read_declared(project),
            {"name": name, **project.place},
            direct=True,
            failure=failure,
        )
    else:
        last = _find_last_release(name, resolver) if name else None
        if last is None:
            return failure
        source = replace(last, text=item.text, direct=True, failure=failure)
    resolver.adopt(source)
    return source


def _judge_basis(project: DeclaredProject) -> RequirementsOrigin:
    return RequirementsOrigin.STATIC if project.is_static else RequirementsOrigin.DECLARED


def _find_address(item: RequestedPackage) -> str:
    return item.line.partition(" @ ")[2] or item.line.partition("[")[0]


def guess_name(text: str) -> str:
    """The last part of a repository's address: what a project is called there, it mostly is as a package."""
    last = re.split(r"[@#?]", text.partition("://")[2])[0].rstrip("/").rpartition("/")[2]
    last = last.removesuffix(".git")
    return canonicalize_name(last) if re.fullmatch(r"[A-Za-z0-9][\w.-]*", last) else ""


def _adopt_all(
    items: Sequence[LockedPackage], resolver: Resolver, locked: Lock | Unsolvable | None = None
) -> bool:
    known = {(source.name, source.version) for source in resolver.sources}
    if isinstance(locked, Lock):
        items = [found for item in items if (found := locked.get(item.name)) is not None]
    new = [item for item in items if (item.name, item.version) not in known]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for source in pool.map(lambda item: _read_release(item, resolver), new):
            resolver.adopt(source)
    return bool(new)


def _read_release(item: LockedPackage, resolver: Resolver) -> SourceRelease:
    """Read what a release of the index declares: by a build where that is allowed, else from its source archive."""
    entry = {key: value for key, value in item.entry.items() if key != "wheels"}
    archive = item.entry.get("sdist") or {}
    url, text = find_url(archive), f"{item.name} {item.version}"
    release = SourceRelease(item.name, item.version, text, RequirementsOrigin.NOTHING, entry=entry)
    if resolver.may_build(item.name):
        built = _build(url, resolver)
        if isinstance(built, BuiltMetadata):
            return replace(release, basis=RequirementsOrigin.BUILT, known=built.known)
        release = replace(release, failure=built)
    project = read_sdist(url, int(archive.get("size") or 0), resolver.settings.environment)
    if project is not None:
        return replace(release, basis=_judge_basis(project), known=read_declared(project))
    last = _find_last_release(item.name, resolver)
    if last is not None and last.basis is not RequirementsOrigin.NOTHING:
        return replace(release, basis=RequirementsOrigin.LAST_RELEASE, known=last.known)
    return release


def _build(address: str, resolver: Resolver) -> BuiltMetadata | str:
    """Build the metadata of a source; where that fails, return why."""
    try:
        return build_metadata(address, resolver.settings, resolver.base.executable)
    except PlanError as error:
        return error.message


def _read_requested(item: RequestedPackage) -> DeclaredProject | None:
    """Read what a folder or an archive declares; a repository tells nothing."""
    assert item.source is not Source.INDEX
    address = _find_address(item)
    parts = urlsplit(address)
    if address.startswith("git+"):
        return None
    if parts.scheme in ("http", "https"):
        return read_sdist(address, 0, {})
    path = Path(url2pathname(unquote(parts.path)) if parts.scheme == "file" else address)
    return read_project_folder(path) if path.is_dir() else read_sdist(path.absolute().as_uri(), 0, {})


def _find_last_release(name: str, resolver: Resolver) -> SourceRelease | None:
    """The newest release of that name that has a wheel, as what is known last of a project."""
    found = resolver.resolve([name], Freedom(), dependencies=False)
    item = None if isinstance(found, Unsolvable) else found.get(name)
    if item is None or not is_version(item.version):
        return None
    known = read_locked_metadata(item, resolver.settings.environment)
    basis = RequirementsOrigin.NOTHING if known is None else RequirementsOrigin.LAST_RELEASE
    return SourceRelease(name, item.version, name, basis, known or WheelMetadata(()))


def _must_be_built(item: LockedPackage, resolver: Resolver) -> bool:
    ranks = rank_tags(resolver.base.python, resolver.base.platform)
    return not item.direct and not any(
        _fits(find_url(wheel), ranks) for wheel in item.entry.get("wheels", ())
    )


def _fits(url: str, ranks: Mapping[Tag, int]) -> bool:
    try:
        tags = parse_wheel_filename(unquote(urlsplit(url).path).rpartition("/")[2])[3]
    except InvalidWheelFilename:
        return False
    return any(tag in ranks for tag in tags)


def _list_ahead(
    items: Sequence[LockedPackage], newest: Lock | Unsolvable, resolver: Resolver
) -> list[LockedPackage]:
    if isinstance(newest, Unsolvable):
        return []
    return [
        item
        for item in items
        if (found := newest.get(item.name)) is not None
        and found.version
        and Version(found.version) > Version(item.version)
        and _must_be_built(found, resolver)
    ]


def _is_behind(items: Sequence[LockedPackage], newest: Lock | Unsolvable) -> bool:
    """Tell whether one of `items` is older than its newest release."""
    return isinstance(newest, Lock) and any(
        (found := newest.get(item.name)) is not None
        and bool(found.version)
        and Version(found.version) > Version(item.version)
        for item in items
    )


def _list_dependencies(item: LockedPackage, resolver: Resolver, extras: Collection[str] = ()) -> list[str]:
    """Return the requirement lines of a package, with some extras, that apply here and that the base does not meet."""
    base = resolver.base
    if _must_be_built(item, resolver) and not item.built:
        known = next(
            (
                each.known
                for each in resolver.sources
                if (each.name, each.version) == (item.name, item.version)
            ),
            None,
        )
    else:
        known = read_locked_metadata(item, resolver.settings.environment)
    values = [{**base.markers, "extra": extra} for extra in ("", *extras)]
    return [
        _spell(requirement)
        for requirement in (known.requires if known else ())
        if (requirement.marker is None or any(map(requirement.marker.evaluate, values)))
        and requirement.url is None
        and not _is_met(requirement, resolver)
    ]


def _read_extras(lines: Iterable[str]) -> dict[str, set[str]]:
    """Return the extras that requirement lines ask for, by the name of the package."""
    found: dict[str, set[str]] = {}
    for line in lines:
        match = re.match(r"[A-Za-z0-9][\w.-]*\s*\[([^\]]*)\]", line)
        if match:
            names = {canonicalize_name(name.strip()) for name in match[1].split(",") if name.strip()}
            found.setdefault(_read_name(line), set()).update(names)
    return found


def _is_met(requirement: Requirement, resolver: Resolver) -> bool:
    version = resolver.base.version(canonicalize_name(requirement.name))
    if requirement.extras:  # what they need may be missing
        return False
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def _spell(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"


def _read_name(line: str) -> str:
    match = re.match(r"[A-Za-z0-9][\w.-]*", line)
    return canonicalize_name(match[0]) if match else ""
