"""What differs between two images: which packages moved, which moves are major, and which are native."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from packaging.version import Version

from tierproof.core.credentials import hide_credentials
from tierproof.core.json_value import JsonValue
from tierproof.core.plain_html import escape_html
from tierproof.core.plain_text import clean_text
from tierproof.images.lists.freeze_file import FrozenPackage
from tierproof.images.lists.image_contents import ImageContents
from tierproof.images.lists.image_index import Image
from tierproof.images.tell.image_listing import describe_image
from tierproof.images.tell.text_table import align_table

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class ChangedPackage:
    """A package that both images have, in two versions or from two places.

    Attributes:
        name: normalised.
        before: its version, or where it came from; after likewise.
        major: the epoch or the first part of the version differs, or the second of 0.x; None: a version is unknown.
        native: one of the two ships compiled code; None: unknown.
    """

    name: str
    before: str
    after: str
    major: bool | None
    native: bool | None

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
    """The difference between two images.

    Attributes:
        before: the first image; after: the second.
        added: packages that only the second has, by name; removed: that only the first has.
        changed: packages that differ between the two.
        unchanged: number of packages that are the same in both.
        notes: facts that could not be determined.
    """

    before: Image
    after: Image
    added: tuple[FrozenPackage, ...]
    removed: tuple[FrozenPackage, ...]
    changed: tuple[ChangedPackage, ...]
    unchanged: int
    notes: tuple[str, ...] = ()

    @property
    def python_changed(self) -> bool:
        """The images have different Pythons; a version that is not known counts as no difference."""
        return bool(self.before.python and self.after.python and self.before.python != self.after.python)

    @property
    def hardware_changed(self) -> bool:
        """The images are for different hardware."""
        return self.before.hardware != self.after.hardware

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the `images diff --json` document."""
        return {
            "format_version": FORMAT_VERSION,
            "before": describe_image(self.before),
            "after": describe_image(self.after),
            "python": {
                "before": self.before.python or None,
                "after": self.after.python or None,
                "changed": self.python_changed,
            },
            "hardware": {
                "before": self.before.hardware,
                "after": self.after.hardware,
                "changed": self.hardware_changed,
            },
            "added": [{"name": item.name, "version": item.version or None} for item in self.added],
            "removed": [{"name": item.name, "version": item.version or None} for item in self.removed],
            "changed": [item.to_dict() for item in self.changed],
            "unchanged": self.unchanged,
            "notes": list(self.notes),
        }

    def list_facts(self) -> tuple[str, ...]:
        """Return a line for each difference other than packages, and the counts."""
        lines = []
        for title, before, after in (
            ("Python", self.before.python, self.after.python),
            ("hardware", self.before.hardware, self.after.hardware),
            ("system", self.before.os, self.after.os),
        ):
            if before != after:
                lines.append(f"{title}: {before or 'unknown'} → {after or 'unknown'}")
        major = sum(1 for item in self.changed if item.major)
        lines.append(
            f"{len(self.changed)} changed ({major} major), "
            f"{len(self.added)} added, {len(self.removed)} removed, {self.unchanged} unchanged"
        )
        if self.changed:
            answers = [item.native for item in self.changed]
            lines.append(
                f"native code in the changed packages: {answers.count(True)} with, "
                f"{answers.count(False)} without, {answers.count(None)} unknown"
            )
        return (*lines, *(f"note: {note}" for note in self.notes))

    def to_text(self) -> str:
        """Give it as plain text."""
        parts = [f"{self.before.label} → {self.after.label}", *self.list_facts()]
        major = [item for item in self.changed if item.major]
        others = [item for item in self.changed if not item.major]
        tables: list[tuple[str, list[tuple[str, ...]]]] = [
            ("changed, major", [_list_cells(item) for item in major])
        ]
        tables += [("changed", [_list_cells(item) for item in others])]
        tables += [("added", [(item.name, _name_version(item)) for item in self.added])]
        tables += [("removed", [(item.name, _name_version(item)) for item in self.removed])]
        for title, rows in tables:
            if rows:
                parts += ["", title, align_table((), rows, indent="  ")]
        return clean_text("\n".join(parts))

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        head = "".join(f"<p>{escape_html(line)}</p>" for line in self.list_facts())
        rows = [(item.name, item.before, item.after, _mark(item)) for item in self.changed]
        rows += [(item.name, "–", _name_version(item), "added") for item in self.added]
        rows += [(item.name, _name_version(item), "–", "removed") for item in self.removed]
        titles = ("package", self.before.label, self.after.label, "")
        cells = [
            f"<tr>{''.join(f'<{tag}>{escape_html(cell)}</{tag}>' for cell in row)}</tr>"
            for tag, row in [("th", titles), *(("td", row) for row in rows)]
        ]
        return head + (f"<table>{''.join(cells)}</table>" if rows else "")


def diff_images(
    before: ImageContents,
    after: ImageContents,
    *,
    native: Mapping[tuple[str, str], bool] | None = None,
    notes: tuple[str, ...] = (),
) -> ImageDiff:
    """Compare two images.

    Args:
        before: the first.
        after: the second.
        native: whether a release, by name and version, ships compiled code; missing means unknown.
        notes: for the result.
    """
    first = {item.name: item for item in before.file.packages}
    second = {item.name: item for item in after.file.packages}
    common = sorted(first.keys() & second.keys())
    moved = [name for name in common if not _is_alike(first[name], second[name])]
    return ImageDiff(
        before.image,
        after.image,
        tuple(second[name] for name in sorted(second.keys() - first.keys())),
        tuple(first[name] for name in sorted(first.keys() - second.keys())),
        tuple(_compare(first[name], second[name], native or {}) for name in moved),
        len(common) - len(moved),
        notes,
    )


def is_major(before: str, after: str) -> bool:
    """Tell whether two versions differ in their epoch or first part; of 0.x the second part counts too.

    0.22 to 0.23 is major, 1.22 to 1.23 is not, and 0.22 to 1.0 is.
    """
    first, second = Version(before), Version(after)
    if (first.epoch, first.major) != (second.epoch, second.major):
        return True
    return first.major == 0 and first.minor != second.minor


def _list_cells(item: ChangedPackage) -> tuple[str, ...]:
    return (item.name, item.before, "→", item.after, _mark_native(item))


def _mark_native(item: ChangedPackage) -> str:
    return "" if item.native is None else "native" if item.native else "pure"


def _mark(item: ChangedPackage) -> str:
    return ", ".join(word for word in ("major" if item.major else "", _mark_native(item)) if word)


def _is_alike(first: FrozenPackage, second: FrozenPackage) -> bool:
    if first.version or second.version:
        return first.version == second.version
    return first.url == second.url


def _compare(
    first: FrozenPackage, second: FrozenPackage, native: Mapping[tuple[str, str], bool]
) -> ChangedPackage:
    known = [native.get((item.name, item.version)) for item in (first, second)]
    both = bool(first.version and second.version)
    return ChangedPackage(
        first.name,
        _name_version(first),
        _name_version(second),
        is_major(first.version, second.version) if both else None,
        True if any(known) else None if None in known else False,
    )


def _name_version(item: FrozenPackage) -> str:
    """Give the version, else the place that it came from, shortened: a commit's first digits, say."""
    if item.version:
        return item.version
    place = hide_credentials(item.url).partition("#")[0]
    path, at, revision = place.rpartition("@")
    shown = f"{path.rpartition('/')[2]}@{revision[:10]}" if at and "/" not in revision else place
    return shown or "unknown version"
