"""Resolve requirements with uv on a base of which some packages are frozen."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from packaging.version import Version

from tierproof.core.system_errors import telling_system_errors
from tierproof.guard.capture.base import Base
from tierproof.guard.capture.declared_bounds import Bound
from tierproof.guard.resolve.index_settings import IndexSettings, leave_out, read_index_settings
from tierproof.guard.resolve.lock import Lock, LockedPackage, read_lock
from tierproof.guard.resolve.plan_error import PlanError
from tierproof.guard.resolve.python_bounds import PythonBounds
from tierproof.guard.resolve.reachable_hosts import find_unreachable
from tierproof.guard.resolve.run_uv import run_uv
from tierproof.guard.resolve.source_release import SourceRelease, write_source_stub
from tierproof.guard.resolve.stub_wheels import StubWheels
from tierproof.guard.resolve.uv_config import write_uv_config
from tierproof.guard.resolve.wheel_tags import rank_tags
from tierproof.guard.system.scratch_folder import open_scratch_folder

DEFAULT_LIMIT_S = 120.0
# Seconds of resolving after which no better answer is searched: somebody sits before the cell and waits.
_PATIENCE_S = 60.0
_PYTHON_ROUNDS = 6
EVERY_BUILD = "*"  # among the names that may be built: all may


@dataclass(frozen=True, slots=True)
class Unsolvable:
    """No combination of versions satisfies all requirements; `words` is the message of uv, for display only."""

    words: str


@dataclass(frozen=True, slots=True)
class Freedom:
    """Which packages of the base a resolution may change.

    Attributes:
        frozen: names that stay at the base's version.
        preferred: names that stay at the base's version if possible.
        overridden: names that stay at the base's version even if that breaks declared bounds.
        constraints: further bounds, as requirement lines.
    """

    frozen: frozenset[str] = frozenset()
    preferred: frozenset[str] = frozenset()
    overridden: frozenset[str] = frozenset()
    constraints: tuple[str, ...] = ()


class Resolver:
    """Resolves on one base, in a folder of its own. Use `open_resolver`.

    Attributes:
        base: what is installed.
        settings: where packages come from, without the further indexes that cannot be reached.
        unreachable: hosts of indexes to which no connection can be made, each with the reason.
        allow_build: names that may be built from source.
        spent_s: seconds that all resolutions so far have taken.
    """

    def __init__(
        self,
        base: Base,
        folder: Path,
        settings: IndexSettings,
        allow_build: Collection[str] = (),
        limit_s: float = DEFAULT_LIMIT_S,
        exclude_newer: str = "",
        constraints: Sequence[str] = (),
        *,
        dependencies: bool = True,
        any_python: bool = False,
    ) -> None:
        self.base = base
        self.unreachable = find_unreachable(
            (*settings.index_urls, *settings.find_links), settings.environment
        )
        self.settings = leave_out(settings, self.unreachable)
        self.allow_build = frozenset(allow_build)
        self._folder = folder
        self._limit_s = limit_s
        self._exclude_newer = exclude_newer
        self._constraints = tuple(constraints)
        self._dependencies = dependencies
        self._python = None if any_python else PythonBounds(base.python, settings)
        self._sources: dict[tuple[str, str], SourceRelease] = {}
        self._stubs = StubWheels(base, folder / "stubs")
        self._calls = 0
        self.spent_s = 0.0

    @property
    def patient(self) -> bool:
        """Whether there is time to search for a better answer than the one at hand."""
        return self.spent_s < _PATIENCE_S

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """What the base's packages declare about each other, extras aside."""
        return self._stubs.bounds

    def may_build(self, *names: str) -> bool:
        """Tell whether one of these names of a source may be built."""
        return EVERY_BUILD in self.allow_build or bool(self.allow_build & set(names))

    @property
    def excluded(self) -> Mapping[str, Mapping[Version, str]]:
        """Releases that were met and that do not take this Python, by name, each with the bound that says so."""
        return {} if self._python is None else self._python.excluded

    @property
    def sources(self) -> tuple[SourceRelease, ...]:
        """The releases without a wheel that resolutions take into account."""
        return tuple(self._sources.values())

    def exclude_by_python(self, names: Collection[str]) -> bool:
        """Leave out the releases of `names` that do not take this Python; tell whether there are some."""
        return self._python is not None and self._python.exclude_listed(names)

    def adopt(self, source: SourceRelease) -> None:
        """Take a release without a wheel into account from now on, with what is known of it."""
        write_source_stub(source, self._folder / "sources")
        self._sources[source.name, source.stub_version] = source

    def resolve(
        self, lines: Sequence[str], freedom: Freedom, *, dependencies: bool = True
    ) -> Lock | Unsolvable:
        """Resolve requirement lines, to releases that take this Python.

        Args:
            lines: requirements as uv reads them.
            freedom: which packages of the base may change.
            dependencies: whether to resolve dependencies as well.

        Raises:
            PlanError: uv failed: no network, an index that refuses, no interpreter, or too slow.
        """
        arguments = [] if dependencies and self._dependencies else ["--no-deps"]
        arguments += ["--only-binary", ":all:"]
        for _ in range(_PYTHON_ROUNDS):
            found = self._run(lines, freedom, arguments)
            if self._python is None or isinstance(found, Unsolvable):
                break
            new = [item for item in found.packages if item.version != str(self.base.version(item.name))]
            if not self._python.exclude(new):
                break
        return found

    def locate(self, lines: Sequence[str], freedom: Freedom | None = None) -> Lock | Unsolvable:
        """Find the newest release of each requirement, with a wheel or without, dependencies aside.

        Nothing is built: without dependencies, uv asks no release for its metadata.

        Raises:
            PlanError: as `resolve`.
        """
        return self._run(lines, freedom or Freedom(), ["--no-deps"])

    def _run(self, lines: Sequence[str], freedom: Freedom, more: Sequence[str]) -> Lock | Unsolvable:
        self._calls += 1
        folder = self._folder / f"call-{self._calls}"
        folder.mkdir(parents=True)
        pins = {name: f"{name}=={self.base.version(name)}" for name in self.base.by_name}
        # By address, not by version: uv then asks no index for a frozen package, however many there are.
        frozen = [f"{name} @ {self._stubs.find_stub(name).as_uri()}" for name in sorted(freedom.frozen)]
        excluded = [] if self._python is None else self._python.list_constraints(freedom.frozen)
        _write_lines(folder / "requirements.in", lines)
        _write_lines(
            folder / "constraints.txt", [*frozen, *freedom.constraints, *self._constraints, *excluded]
        )
        _write_lines(folder / "overrides.txt", [pins[name] for name in sorted(freedom.overridden)])
        lock = folder / "pylock.toml"
        if freedom.preferred:
            lock.write_text(_describe_preferences(self.base, freedom.preferred), encoding="utf-8")
        arguments = [*self._arguments(freedom), *more, *write_uv_config(self.settings, folder)]
        away = self._find_away()
        arguments += ["--offline"] if away else []
        started = time.perf_counter()
        answer = run_uv(
            arguments, environment=self.settings.environment, folder=folder, limit_s=self._limit_s
        )
        self.spent_s += time.perf_counter() - started
        if answer.status == 0:
            tags = rank_tags(self.base.python, self.base.platform)
            return self._know_stubs(read_lock(lock.read_text(encoding="utf-8"), folder, tags))
        if away:
            raise PlanError(
                f"the packages could not be resolved: {away} cannot be reached ({self.unreachable[away]})",
                hint="Check the network, the proxy and the index that pip or uv is configured with.",
            )
        if answer.status == 1:
            return Unsolvable(answer.words)
        raise PlanError(
            f"uv could not resolve the packages: {_in_one_line(answer.words)}",
            hint="Check the network, the proxy and the index that pip or uv is configured with.",
        )

    def _find_away(self) -> str:
        """Return the host of the default index where that cannot be reached: uv would ask it again and again."""
        host = urlsplit(self.settings.index_urls[-1]).hostname if self.settings.index_urls else None
        return host if host is not None and host in self.unreachable else ""

    def _arguments(self, freedom: Freedom) -> list[str]:
        arguments = ["pip", "compile", "requirements.in", "--quiet", "--no-python-downloads"]
        arguments += [
            "--python",
            self.base.executable,
            "--no-header",
            "--no-annotate",
        ]
        if self.base.platform:
            arguments += ["--python-version", self.base.python, "--python-platform", self.base.platform]
        arguments += ["--constraints", "constraints.txt", "--overrides", "overrides.txt"]
        arguments += ["--format", "pylock.toml", "--output-file", "pylock.toml"]
        if self._exclude_newer:
            arguments += ["--exclude-newer", self._exclude_newer]
        if self._sources:
            arguments += ["--find-links", str(self._folder / "sources")]
        if freedom.preferred:
            arguments += ["--find-links", str(self._stubs.flat)]
        if self.settings.no_index:
            arguments += ["--no-index"]
        return [*arguments, *self.settings.options]

    def _know_stubs(self, lock: Lock) -> Lock:
        """Take what came from a stub for the installed package, or for the source, and not for one from a URL."""
        return Lock(tuple(self._know_stub(item) for item in lock.packages))

    def _know_stub(self, item: LockedPackage) -> LockedPackage:
        source = self._sources.get((item.name, item.version))
        if source is not None and item.url.startswith((self._folder / "sources").as_uri()):
            return replace(
                item,
                version=source.version,
                url="",
                bytes=int(source.entry.get("sdist", {}).get("size") or 0),
                direct=source.direct,
                built=True,
                digest="",
                known=source.known,
                entry=source.entry,
            )
        return replace(item, direct=False) if item.url.startswith(self._stubs.flat.as_uri()) else item


@contextmanager
def open_resolver(
    base: Base,
    *,
    allow_build: Collection[str] = (),
    limit_s: float = DEFAULT_LIMIT_S,
    environment: Mapping[str, str] | None = None,
    settings: IndexSettings | None = None,
    exclude_newer: str = "",
    constraints: Sequence[str] = (),
    dependencies: bool = True,
    any_python: bool = False,
) -> Iterator[Resolver]:
    """Return a resolver for `base`; what it writes lies in a temporary folder, removed afterwards.

    Args:
        base: what is installed.
        allow_build: names that may be built from source.
        limit_s: seconds that one resolution may take.
        environment: where index settings are read; this process's by default.
        settings: the index settings themselves, in place of those that are configured.
        exclude_newer: a day or an instant in ISO format; what was uploaded later does not count.
        constraints: bounds that hold in every resolution, as requirement lines.
        dependencies: whether dependencies are resolved as well.
        any_python: whether releases count that do not take the base's Python.
    """
    told = read_index_settings(environment) if settings is None else settings
    hint = "A plan needs a few megabytes of temporary space: free some, or set TMPDIR to another folder."
    with (
        telling_system_errors(PlanError, "the packages could not be resolved", hint),
        open_scratch_folder() as folder,
    ):
        yield Resolver(
            base,
            folder,
            told,
            allow_build,
            limit_s,
            exclude_newer,
            constraints,
            dependencies=dependencies,
            any_python=any_python,
        )


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _describe_preferences(base: Base, names: Collection[str]) -> str:
    """A lock that exists already: uv keeps the versions it names where it can."""
    entries = [f'[[packages]]\nname = "{name}"\nversion = "{base.version(name)}"\n' for name in sorted(names)]
    return "\n".join(['lock-version = "1.0"\ncreated-by = "tierproof"\n', *entries])


def _in_one_line(words: str) -> str:
    return " ".join(words.removeprefix("error: ").split())[:600] or "it printed no message"
