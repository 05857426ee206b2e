"""Which releases ship compiled code: read from the tags of the wheel that an image takes.

The platform tag of a wheel is `any`, or it names a system; nothing is guessed from the name of a package. The wheel
of a package from a URL is named in the URL, an installed package has a WHEEL file, and for the others the package
index is asked which wheels a release has. It stays unknown if a release has only a source archive.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from urllib.parse import unquote, urlsplit

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from tierproof.guard.capture.installed import capture_installed
from tierproof.guard.resolve.index_settings import IndexSettings
from tierproof.guard.resolve.lock import LockedPackage, choose_wheel, find_url
from tierproof.guard.resolve.wheel_tags import rank_tags
from tierproof.images.base.declared_requires import PLACEHOLDER_TAG, Target, locate_releases
from tierproof.images.base.fact_cache import FactCache
from tierproof.images.lists.freeze_file import FrozenPackage, find_python
from tierproof.images.lists.image_contents import ImageContents
from tierproof.images.lists.image_index import HERE


def find_native(
    contents: ImageContents, names: Collection[str], settings: IndexSettings | None, cache: FactCache[bool]
) -> dict[tuple[str, str], bool]:
    """Tell which packages of an image ship compiled code, by name and version; missing means unknown.

    Args:
        contents: the image.
        names: of the packages that are asked about.
        settings: the index to ask; None: ask none.
        cache: of earlier answers of the index; new answers are added.

    Raises:
        PlanError: the index cannot be asked.
        UsageError: wheels cannot be chosen for the image's platform.
    """
    wanted = [item for item in contents.file.packages if item.name in names and item.version]
    if contents.image.name == HERE:
        return _read_installed({item.name for item in wanted})
    found = {}
    for item in wanted:
        tags = _read_tags(item.url)
        if tags:
            found[item.name, item.version] = _is_native(tags)
    python = contents.image.python or find_python(contents.file)
    if not python:
        return found
    target = Target(python, contents.image.platform, sys.executable)
    rest = [item for item in wanted if (item.name, item.version) not in found and _is_on_index(item)]
    return found | _ask(rest, target, settings, cache)


def _ask(
    packages: Collection[FrozenPackage],
    target: Target,
    settings: IndexSettings | None,
    cache: FactCache[bool],
) -> dict[tuple[str, str], bool]:
    """Give what the cache knows, and what the index tells of the rest."""
    place = f"cp{'.'.join(target.python.split('.')[:2])} {target.platform}"
    keys = {item: f"{item.name}=={Version(item.version).public} {place}" for item in packages}
    missing = [item for item, key in keys.items() if cache.get(key) is None]
    if missing and settings is not None:
        releases = [(item.name, Version(item.version).public) for item in missing]
        ranks = rank_tags(target.python, target.platform)
        answers = {each.name: _judge(each, ranks) for each in locate_releases(releases, target, settings)}
        cache.add({keys[item]: native for item in missing if (native := answers.get(item.name)) is not None})
    known = {(item.name, item.version): cache.get(key) for item, key in keys.items()}
    return {release: native for release, native in known.items() if native is not None}


def _judge(item: LockedPackage, ranks: Mapping[Tag, int]) -> bool | None:
    wheels = [
        wheel
        for wheel in item.entry.get("wheels", ())
        if not find_url(wheel).endswith(PLACEHOLDER_TAG + ".whl")
    ]
    wheel = choose_wheel(wheels, ranks)
    tags = frozenset() if wheel is None else _read_tags(find_url(wheel))
    # A wheel for another machine says nothing about what was built on this one.
    return _is_native(tags) if any(tag in ranks for tag in tags) else None


def _read_tags(url: str) -> frozenset[Tag]:
    """Give the tags of the wheel at a URL; none where it is no wheel."""
    try:
        return parse_wheel_filename(unquote(urlsplit(url).path).rpartition("/")[2])[3]
    except (InvalidWheelFilename, ValueError):
        return frozenset()


def _is_native(tags: Collection[Tag]) -> bool:
    return any(tag.platform != "any" for tag in tags)


def _is_on_index(item: FrozenPackage) -> bool:
    return not item.editable and not item.url.startswith("file:")


def _read_installed(names: Collection[str]) -> dict[tuple[str, str], bool]:
    """Read the WHEEL files of what is installed here."""
    found = {}
    for item in capture_installed():
        if item.name in names:
            try:
                text = (item.metadata_path / "WHEEL").read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            tags = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("Tag:")]
            if tags:
                version = str(Version(item.version))
                found[item.name, version] = any(not tag.endswith("-any") for tag in tags)
    return found
