"""What the packages of an image declare that they need: asked of the package index, once for ever."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tierproof.guard.resolve.index_settings import IndexSettings
from tierproof.guard.resolve.lock import LockedPackage, choose_wheel, find_url, read_lock
from tierproof.guard.resolve.plan_error import PlanError
from tierproof.guard.resolve.run_uv import run_uv
from tierproof.guard.resolve.sdist_metadata import read_sdist_requires
from tierproof.guard.resolve.wheel_metadata import read_requires
from tierproof.guard.resolve.wheel_tags import rank_tags
from tierproof.images.base.requires_cache import RequiresCache

_LIMIT_S = 300.0
_AT_ONCE = 16
_TOLD_EVERY = 25
# Tag of a placeholder, which is chosen where no index has the release: so uv finds all others in one run
# instead of stopping at the first that is nowhere. No wheel of an index has it.
PLACEHOLDER_TAG = "py30-none-any"
_WHEEL = f"Wheel-Version: 1.0\nGenerator: tierproof\nRoot-Is-Purelib: true\nTag: {PLACEHOLDER_TAG}\n"


@dataclass(frozen=True, slots=True)
class DeclaredRequires:
    """What releases declare.

    Attributes:
        by_release: the Requires-Dist lines of each name and version that the index has.
        unread: releases that the index has, and whose wheel could not be read this time.
    """

    by_release: Mapping[tuple[str, str], tuple[str, ...]]
    unread: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """For which interpreter wheels are chosen: `executable` only lends uv a Python."""

    python: str
    platform: str
    executable: str


def find_requires(
    releases: Sequence[tuple[str, str]],
    target: Target,
    settings: IndexSettings,
    cache: RequiresCache,
    on_step: Callable[[str], None] = lambda _: None,
) -> DeclaredRequires:
    """Return the Requires-Dist lines of each release that the index has; others are left out.

    Args:
        releases: normalised names, with versions without a local part.
        target: the image's interpreter.
        settings: the index to ask.
        cache: read first, and extended afterwards, even if interrupted.
        on_step: called with the progress as text.

    Raises:
        PlanError: the index cannot be asked.
    """
    known = {each: lines for each in releases if (lines := cache.get(*each)) is not None}
    missing = [each for each in dict.fromkeys(releases) if each not in known and not cache.is_absent(*each)]
    if not missing:
        return DeclaredRequires(known)
    on_step(f"asking the package index about {len(missing)} packages of the image")
    located = locate_releases(missing, target, settings)
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    try:
        for at_once in (_AT_ONCE, 2):  # a server that was asked too much at once answers the second time
            left = [item for item in located if (item.name, item.version) not in found]
            for item, declared in _read_all(left, target, settings, at_once):
                if declared is None:
                    continue
                found[item.name, item.version] = declared
                if len(found) % _TOLD_EVERY == 0:
                    on_step(
                        f"reading the requirements of the image's packages: {len(found)} of {len(missing)}"
                    )
    finally:
        cache.add(found)
    unread = [
        (item.name, item.version)
        for item in located
        if (item.name, item.version) not in found and _choose_wheel(item, target) is not None
    ]
    cache.add_absent([each for each in missing if each not in found and each not in unread])
    return DeclaredRequires({**known, **found}, tuple(unread))


def _read_all(
    located: Sequence[LockedPackage], target: Target, settings: IndexSettings, at_once: int
) -> Iterable[tuple[LockedPackage, tuple[str, ...] | None]]:
    pool = ThreadPoolExecutor(at_once)
    try:
        answers = pool.map(lambda item: _read(item, target, settings.environment), located)
        yield from zip(located, answers, strict=True)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def locate_releases(
    releases: Sequence[tuple[str, str]], target: Target, settings: IndexSettings
) -> tuple[LockedPackage, ...]:
    """Ask for the files of every release in one run of uv."""
    with tempfile.TemporaryDirectory(prefix="tierproof-image-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        placeholders = folder / "placeholders"
        placeholders.mkdir()
        for release in releases:
            _write_placeholder(placeholders, *release)
        lines = "".join(f"{name}=={version}\n" for name, version in releases)
        (folder / "requirements.in").write_text(lines, encoding="utf-8")
        arguments = [
            "pip",
            "compile",
            "requirements.in",
            "--no-deps",
            "--quiet",
            "--no-config",
            "--no-header",
        ]
        arguments += ["--no-annotate", "--no-python-downloads", "--python", target.executable]
        arguments += ["--python-version", target.python, "--python-platform", target.platform]
        arguments += ["--format", "pylock.toml", "--output-file", "pylock.toml"]
        arguments += _list_indexes(settings, placeholders)
        answer = run_uv(
            arguments, environment=settings.environment, folder=folder, limit_s=_LIMIT_S, doing="found"
        )
        if answer.status != 0:
            raise PlanError(
                "cannot read the requirements of the image's packages from the package index: "
                f"{answer.words.removeprefix('error: ')}",
                hint="Check the network, the proxy, and the index URL in the settings of pip or uv.",
            )
        lock = read_lock((folder / "pylock.toml").read_text(encoding="utf-8"), folder)
        return lock.packages


def _list_indexes(settings: IndexSettings, placeholders: Path) -> list[str]:
    """Give the options for the user's indexes in their order, with the placeholders as the last of all."""
    options = list(settings.options)
    for option in ("--default-index", "--extra-index-url", "--index-strategy"):
        while option in options:
            position = options.index(option)
            del options[position : position + 2]
    for url in settings.index_urls:
        options += ["--index", url]
    return [*options, "--default-index", placeholders.as_uri(), "--index-strategy", "unsafe-best-match"]


def _write_placeholder(folder: Path, name: str, version: str) -> None:
    stem = f"{name.replace('-', '_')}-{version}"
    file = f"{stem}-{PLACEHOLDER_TAG}.whl"
    (folder / name).mkdir()
    (folder / name / "index.html").write_text(
        f'<!DOCTYPE html><html><body><a href="{file}">{file}</a></body></html>'
    )
    with zipfile.ZipFile(folder / name / file, "w") as archive:
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n"
        for file, text in (("METADATA", metadata), ("WHEEL", _WHEEL), ("RECORD", "")):
            archive.writestr(f"{stem}.dist-info/{file}", text)


def _read(item: LockedPackage, target: Target, environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """Read what a release declares from its best wheel, else from its source archive."""
    wheel = _choose_wheel(item, target)
    if wheel is not None:
        declared = read_requires(find_url(wheel), int(wheel.get("size") or 0), environment)
        if declared is not None:
            return tuple(str(requirement) for requirement in declared)
    source = item.entry.get("sdist")
    if source is None:
        return None
    return read_sdist_requires(find_url(source), int(source.get("size") or 0), environment)


def _choose_wheel(item: LockedPackage, target: Target) -> Mapping[str, Any] | None:
    wheels = [
        each
        for each in item.entry.get("wheels", ())
        if not find_url(each).endswith(f"-{PLACEHOLDER_TAG}.whl")
    ]
    return choose_wheel(wheels, rank_tags(target.python, target.platform))
