"""What moved between two images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from tierproof.core.json_value import JsonValue
from tierproof.core.plain_html import show_plainly
from tierproof.images.package_list import PackageList

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class MovedPackage:
    """A package that both images have, in two versions.

    Attributes:
        name: normalised.
        before: its version on the first image.
        after: on the second.
        major: whether a release may break what worked: its epoch or first number moved, of 0.x the second.
        native: whether it ships native code; None where nobody tells.
    """

    name: str
    before: str
    after: str
    major: bool
    native: bool | None = None

    def to_dict(self) -> dict[str, JsonValue]:
        """Give it as JSON."""
        return {
            "name": self.name,
            "before": self.before,
            "after": self.after,
            "major": self.major,
            "native": self.native,
        }


@dataclass(frozen=True, slots=True)
class ImageDiff:
    """What a second image has otherwise than a first.

    Attributes:
        before: label of the first.
        after: label of the second.
        python: versions of both Pythons.
        added: packages that the second has alone, as name and version.
        removed: that the first has alone.
        moved: that both have, in another version; major ones first.
        same: how many both have alike.
    """

    before: str
    after: str
    python: tuple[str, str]
    added: tuple[tuple[str, str], ...]
    removed: tuple[tuple[str, str], ...]
    moved: tuple[MovedPackage, ...]
    same: int

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the `images diff --json` document."""
        return {
            "format_version": FORMAT_VERSION,
            "before": self.before,
            "after": self.after,
            "python": list(self.python),
            "added": [{"name": name, "version": version} for name, version in self.added],
            "removed": [{"name": name, "version": version} for name, version in self.removed],
            "moved": [each.to_dict() for each in self.moved],
            "same": self.same,
        }

    def to_text(self) -> str:
        """Give it as lines of text: what is major first."""
        lines = [f"{self.before} → {self.after}"]
        if self.python[0] != self.python[1]:
            lines.append(f"Python {self.python[0] or '?'} → {self.python[1] or '?'}")
        major = [each for each in self.moved if each.major]
        lines.append(
            f"{len(self.moved)} moved ({len(major)} of them major), {len(self.added)} added, "
            f"{len(self.removed)} removed, {self.same} alike"
        )
        for title, moved in (("Major:", major), ("Minor:", [each for each in self.moved if not each.major])):
            lines += ["", title] if moved else []
            lines += _align((each.name, each.before, "→", each.after, _mark(each)) for each in moved)
        for title, listed in (("Added:", self.added), ("Removed:", self.removed)):
            lines += ["", title] if listed else []
            lines += _align(listed)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return show_plainly(self.to_text())


def diff_images(before: PackageList, after: PackageList, native: dict[str, bool] | None = None) -> ImageDiff:
    """Compare two images.

    Args:
        before: the first.
        after: the second.
        native: whether a package, by normalised name, ships native code, where that is known.
    """
    known = native or {}
    old, new = before.versions, after.versions
    moved = [
        MovedPackage(name, old[name], new[name], is_major(old[name], new[name]), known.get(name))
        for name in sorted(set(old) & set(new))
        if old[name] != new[name]
    ]
    return ImageDiff(
        before.label,
        after.label,
        (before.python, after.python),
        tuple((name, new[name]) for name in sorted(set(new) - set(old))),
        tuple((name, old[name]) for name in sorted(set(old) - set(new))),
        tuple(sorted(moved, key=lambda each: (not each.major, each.name))),
        len(set(old) & set(new)) - len(moved),
    )


def is_major(before: str, after: str) -> bool:
    """Tell whether code that worked with one version may break with the other, by their numbers."""
    try:
        return _lead(Version(before)) != _lead(Version(after))
    except InvalidVersion:
        return True


def _lead(version: Version) -> tuple[int, ...]:
    if version.major:
        return version.epoch, version.major
    return version.epoch, 0, version.minor


def _mark(moved: MovedPackage) -> str:
    return "native" if moved.native else ""


def _align(rows: Iterable[tuple[str, ...]]) -> list[str]:
    table = list(rows)
    if not table:
        return []
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
