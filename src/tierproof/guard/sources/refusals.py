"""Requests that no release can serve: proven by the pages of the indexes. pip refuses them and changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from packaging.specifiers import SpecifierSet
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from tierproof.guard.commands.requirement import RequestedPackage, Source
from tierproof.guard.resolve.index_page import IndexFile, read_index_pages
from tierproof.guard.resolve.resolve import Resolver
from tierproof.guard.resolve.wheel_tags import rank_tags


def find_refusals(
    requested: Sequence[RequestedPackage], resolver: Resolver, *, wheels_only: bool = False
) -> dict[str, str]:
    """Return the requested names that nothing on the indexes can serve on this Python, each with the reason.

    Where an index cannot be reached nothing is proven: what is missing may be there.

    Args:
        requested: those from an index are looked at; one that no index has is left out.
        resolver: its base and its indexes count.
        wheels_only: nothing may be built, whatever the build.
    """
    if resolver.unreachable:
        return {}
    found: dict[str, str] = {}
    ranks = rank_tags(resolver.base.python, resolver.base.platform)
    for item in requested:
        if item.source is not Source.INDEX or "===" in item.specifier:
            continue
        files = read_index_pages(item.name, resolver.settings)
        if wheels_only and files:
            files = tuple(file for file in files if file.is_wheel)
            if not files:
                found[item.name] = f"{item.name} has no wheel, and building is not allowed"
                continue
        if files and (reason := _explain(item, files, resolver.base.python, ranks)):
            found[item.name] = reason
    return found


def _explain(
    item: RequestedPackage, files: Sequence[IndexFile], python: str, ranks: Mapping[Tag, int]
) -> str:
    """Say why no file serves; empty if one may."""
    versions = {file.version for file in files}
    allowed = set(SpecifierSet(item.specifier).filter(versions)) if item.specifier else versions
    if not allowed:
        return f"no release satisfies {item.name}{item.specifier}; the newest is {_find_newest(versions)}"
    fitting = [file for file in files if file.version in allowed]
    taking = [file for file in fitting if file.takes(python)]
    if not taking:
        newest = max(fitting, key=lambda file: file.version)
        return f"{item.name} {newest.version} needs Python {newest.requires_python}; this is {python}"
    if not any(_serves(file, ranks) for file in taking):
        newest = max(taking, key=lambda file: file.version)
        return f"no wheel of {item.name} {newest.version} fits Python {python} on this platform"
    return ""


def _find_newest(versions: Iterable[Version]) -> Version:
    return max(versions, key=lambda version: (not version.is_prerelease, version))


def _serves(file: IndexFile, ranks: Mapping[Tag, int]) -> bool:
    if not file.is_wheel:
        return True
    try:
        return any(tag in ranks for tag in parse_wheel_filename(file.name)[3])
    except InvalidWheelFilename:
        return True
