"""What pip's search may choose from: the installed version of a package, and the releases of the index."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from tierproof.guard.capture.declared_bounds import iterate_bounds
from tierproof.guard.resolve.lock import Lock, LockedPackage
from tierproof.guard.resolve.locked_requires import read_locked_metadata
from tierproof.guard.resolve.python_bounds import takes
from tierproof.guard.resolve.resolve import Freedom, Resolver
from tierproof.guard.sources.find_sources import adopt_release

_AT_ONCE = 8
_UNKNOWN = object()
_PRERELEASE = re.compile(r"\d\.?(a|b|rc|dev)")


class SearchEndedError(Exception):
    """The search has asked the index as often as it may."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One version of a package, with some extras.

    Attributes:
        key: what pip takes for one thing: the name, with the extras if there are any.
        item: the release; None for the installed version.
    """

    key: str
    name: str
    extras: frozenset[str]
    version: Version
    item: LockedPackage | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Need:
    """A requirement of pip's search; `exact`: the one candidate that serves it."""

    key: str
    name: str
    extras: frozenset[str]
    specifier: SpecifierSet
    exact: Candidate | None = None

    def is_met_by(self, candidate: Candidate) -> bool:
        """Tell whether a candidate of the same key serves it."""
        if self.exact is not None:
            return candidate == self.exact
        return self.specifier.contains(candidate.version, prereleases=True)


def read_needs(requirement: Requirement) -> tuple[Need, ...]:
    """Return what pip makes of a requirement: one with extras and a bound is two."""
    name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
    plain = Need(name, name, frozenset(), requirement.specifier)
    if not extras:
        return (plain,)
    key = f"{name}[{','.join(sorted(extras))}]"
    full = Need(key, name, extras, requirement.specifier)
    return (plain, full) if requirement.specifier else (full,)


class PipCandidates:
    """Gives candidates in pip's order, and what each needs.

    Args:
        resolver: that asks the index.
        preferred: names whose installed version comes first.
        wheels_only: nothing is built.
        most_questions: after which the search ends.
        until_s: seconds of resolving, as the resolver counts them, after which it ends as well.
    """

    def __init__(
        self,
        resolver: Resolver,
        preferred: frozenset[str],
        *,
        wheels_only: bool,
        most_questions: int,
        until_s: float,
    ) -> None:
        self._resolver = resolver
        self._preferred = preferred
        self._wheels_only = wheels_only
        self._left = most_questions
        self._until_s = until_s
        self._newest: dict[str, list[tuple[frozenset[str], LockedPackage | None]]] = {}
        self._needs: dict[Candidate, tuple[Need, ...]] = {}

    def iterate(self, needs: Sequence[Need], tried: Sequence[Candidate]) -> Iterator[Candidate]:
        """Yield the candidates that serve all of `needs`, of one key, but not those in `tried`."""
        asked = needs[-1]
        exact = next((need.exact for need in needs if need.exact is not None), None)
        if exact is not None:
            if exact not in tried and all(need.is_met_by(exact) for need in needs):
                yield exact
            return
        installed = self._find_installed(asked)
        fits = installed is not None and all(need.is_met_by(installed) for need in needs)
        if installed is not None and fits and asked.name in self._preferred:
            if installed not in tried:
                yield installed
            fits = False
        bounds = {str(need.specifier) for need in needs if str(need.specifier)}
        below: list[str] = []
        while (item := self._ask(asked.name, frozenset([*bounds, *below]))) is not None:
            version = Version(item.version)
            if installed is not None and fits and version <= installed.version:
                fits = False
                if installed not in tried:
                    yield installed
            found = Candidate(asked.key, asked.name, asked.extras, version, item)
            is_other = installed is None or version != installed.version
            if is_other and found not in tried and self._may_be_taken(item):
                yield found
            below = [f"<{item.version}"]
        if installed is not None and fits and installed not in tried:
            yield installed

    def look_ahead(self, groups: Iterable[Sequence[Need]]) -> None:
        """Ask for the newest candidate of several keys at once."""
        questions: dict[tuple[str, frozenset[str]], None] = {}
        for needs in groups:
            asked = needs[-1]
            installed = self._find_installed(asked)
            fits = installed is not None and all(need.is_met_by(installed) for need in needs)
            if not (fits and asked.name in self._preferred) and all(need.exact is None for need in needs):
                bounds = frozenset(str(need.specifier) for need in needs if str(need.specifier))
                if self._recall(asked.name, bounds) is _UNKNOWN:
                    questions[asked.name, bounds] = None
        self._ask_all(list(questions))

    def list_needs(self, candidate: Candidate) -> tuple[Need, ...]:
        """Return what a candidate needs; of one with extras, its version without them first."""
        if candidate not in self._needs:
            found: list[Need] = []
            if candidate.extras:
                base = Candidate(
                    candidate.name, candidate.name, frozenset(), candidate.version, candidate.item
                )
                found.append(Need(base.key, base.name, base.extras, SpecifierSet(), base))
            values = [
                {**self._resolver.base.markers, "extra": extra} for extra in (candidate.extras or ("",))
            ]
            for requirement in self._read_requires(candidate):
                if requirement.marker is None or any(map(requirement.marker.evaluate, values)):
                    found += read_needs(requirement)
            self._needs[candidate] = tuple(found)
        return self._needs[candidate]

    def _read_requires(self, candidate: Candidate) -> tuple[Requirement, ...]:
        if candidate.item is None:
            return tuple(iterate_bounds(self._resolver.base.by_name[candidate.name]))
        known = read_locked_metadata(candidate.item, self._resolver.settings.environment)
        return known.requires if known else ()

    def _find_installed(self, need: Need) -> Candidate | None:
        version = self._resolver.base.version(need.name)
        return None if version is None else Candidate(need.key, need.name, need.extras, version)

    def _may_be_taken(self, item: LockedPackage) -> bool:
        known = read_locked_metadata(item, self._resolver.settings.environment)
        return known is None or takes(known.requires_python, self._resolver.base.python)

    def _ask(self, name: str, bounds: frozenset[str]) -> LockedPackage | None:
        known = self._recall(name, bounds)
        if known is _UNKNOWN:
            self._ask_all([(name, bounds)])
            known = self._recall(name, bounds)
        return known if isinstance(known, LockedPackage) else None

    def _recall(self, name: str, bounds: frozenset[str]) -> LockedPackage | object | None:
        """Return the newest release within bounds, from an answer to fewer bounds that meets all of them as well."""
        if _excludes_itself(bounds):
            return None
        for asked, item in self._newest.get(name, ()):
            if asked == bounds:
                return item
            if not asked <= bounds or any(_PRERELEASE.search(bound) for bound in bounds - asked):
                continue
            if item is None or all(
                SpecifierSet(bound).contains(item.version, prereleases=True) for bound in bounds
            ):
                return item
        return _UNKNOWN

    def _ask_all(self, questions: Sequence[tuple[str, frozenset[str]]]) -> None:
        if not questions:
            return
        self._left -= 1
        if self._left < 0 or self._resolver.spent_s > self._until_s:
            raise SearchEndedError
        lines = [f"{name}{','.join(sorted(bounds))}" for name, bounds in questions]
        if self._wheels_only:
            found = self._resolver.resolve(lines, Freedom(), dependencies=False)
        else:
            found = self._resolver.locate(lines)
        if isinstance(found, Lock):
            items = {item.name: self._adopt(item) for item in found.packages}
            with ThreadPoolExecutor(_AT_ONCE) as pool:  # they are kept, and read again one by one
                list(pool.map(self._may_be_taken, items.values()))
            for name, bounds in questions:
                self._newest.setdefault(name, []).append((bounds, items.get(name)))
        elif len(questions) == 1:
            name, bounds = questions[0]
            self._newest.setdefault(name, []).append((bounds, None))
        else:
            for each in questions:
                self._ask_all([each])

    def _adopt(self, item: LockedPackage) -> LockedPackage:
        """Give a release without a wheel what is known of it."""
        if not item.built or item.known is not None or item.direct:
            return item
        return adopt_release(item, self._resolver)


def _excludes_itself(bounds: frozenset[str]) -> bool:
    """Tell whether one of the bounds is a version that another excludes."""
    pins = [bound[2:] for bound in bounds if re.fullmatch(r"==[\w.!+]+", bound)]
    return any(not SpecifierSet(bound).contains(pin, prereleases=True) for pin in pins for bound in bounds)
