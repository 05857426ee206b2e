"""Fetch the lists of a source that are not stored yet, and verify each before it is stored."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path

from tierproof.core.credentials import hide_credentials
from tierproof.core.json_value import JsonValue
from tierproof.core.plain_html import show_plainly
from tierproof.core.plain_text import clean_text
from tierproof.errors import UsageError
from tierproof.images.lists.freeze_file import find_python
from tierproof.images.lists.image_index import Image
from tierproof.images.lists.image_name import check_hardware, check_image_name
from tierproof.images.lists.verify_list import verify_list
from tierproof.images.store.image_source import ImageSource, ImageSourceError, Offer
from tierproof.images.store.image_store import find_images_folder, is_intact, list_images, store_image

FORMAT_VERSION = 1
_MOST_NAMED = 6
# So many lists after one another that cannot be read: the source is gone, not one of its files.
_MOST_FAILURES = 3
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync did.

    Attributes:
        source: where from, without credentials.
        folder: of the images.
        new: labels of images that were not there before.
        updated: labels of images that were replaced by a later or an intact list.
        current: number of images that were up to date.
        kept: labels of images that the user added and the source has too; they were not replaced.
        refused: labels of offered images that cannot be used, each with the reason.
        duration_s: wall time in seconds.
    """

    source: str
    folder: Path
    new: tuple[str, ...]
    updated: tuple[str, ...]
    current: int
    kept: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    duration_s: float

    @property
    def exit_code(self) -> int:
        """0 = all that is offered is stored, 1 = something was refused."""
        return 1 if self.refused else 0

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the `images sync --json` document."""
        return {
            "format_version": FORMAT_VERSION,
            "source": self.source,
            "folder": str(self.folder),
            "new": list(self.new),
            "updated": list(self.updated),
            "current": self.current,
            "kept": list(self.kept),
            "refused": [{"image": label, "reason": reason} for label, reason in self.refused],
            "duration_s": self.duration_s,
        }

    def describe(self) -> str:
        """Give it as plain lines."""
        stored = self.current + len(self.new) + len(self.updated)
        counts = f"{len(self.new)} new, {len(self.updated)} updated, {self.current} unchanged"
        lines = [f"{stored} images from {self.source}: {counts}"]
        groups = (("new", self.new), ("updated", self.updated))
        lines += [f"  {title}: {_shorten(names)}" for title, names in groups if names]
        lines += [f"  kept: {label}, which you added yourself" for label in self.kept]
        lines += [f"  refused: {label}: {reason}" for label, reason in self.refused]
        return clean_text("\n".join([*lines, f"Stored in {self.folder}"]))

    def __str__(self) -> str:
        return self.describe()

    def _repr_html_(self) -> str:
        return show_plainly(self.describe())


def sync_images(
    source: ImageSource, folder: Path | None = None, *, on_progress: Progress = lambda *_: None
) -> SyncReport:
    """Fetch from `source` the lists that are not stored yet; an interruption keeps those already fetched.

    Args:
        source: as `open_source` gives it.
        folder: the user's folder of images by default; created if missing.
        on_progress: called with how many lists are done, how many there are (0: not known yet), and what is next.

    Raises:
        ImageSourceError: the source cannot be reached, or fails on the way; what was stored until then stays.
        UsageError: it has no images, or the folder's index is not valid.
        OutputError: the folder cannot be written to.
        EnvironmentBusyError: another process keeps writing there.
    """
    started = time.monotonic()
    folder = find_images_folder() if folder is None else folder
    on_progress(0, 0, f"connecting to {source.name}")
    known = {(image.name, image.hardware): image for image in list_images(folder)}
    offered = source.list_offers()
    refused = [(_clean(label), _clean(reason)) for label, reason in offered.refused]
    labels: dict[_Outcome, list[str]] = {outcome: [] for outcome in _Outcome}
    tasks = [each for each in offered.offers if not _is_there(each, known)]
    failures = 0
    for number, offer in enumerate(tasks):
        label = _clean(offer.image.label)
        on_progress(number, len(tasks), label)
        try:
            outcome = _take(source, offer, known, folder)
        except UsageError as error:
            refused.append((label, _clean(error.message)))
        except ImageSourceError as error:
            failures += 1
            if failures == _MOST_FAILURES or len(tasks) == 1:
                stored = len(labels[_Outcome.NEW]) + len(labels[_Outcome.UPDATED])
                raise _explain(error, stored, len(tasks) - number + failures - 1) from error
            refused.append((label, f"{_clean(error.message)}; run the command again to continue"))
        else:
            failures = 0
            labels[outcome].append(label)
    on_progress(len(tasks), len(tasks), "")
    return SyncReport(
        source.name,
        folder,
        tuple(labels[_Outcome.NEW]),
        tuple(labels[_Outcome.UPDATED]),
        len(offered.offers) - len(tasks) + len(labels[_Outcome.CURRENT]),
        tuple(labels[_Outcome.KEPT]),
        tuple(refused),
        round(time.monotonic() - started, 3),
    )


class _Outcome(Enum):
    """What became of an offer whose list was not there, or perhaps not the same."""

    NEW = auto()
    UPDATED = auto()
    CURRENT = auto()
    KEPT = auto()
    ABSENT = auto()


def _is_there(offer: Offer, known: Mapping[tuple[str, str], Image]) -> bool:
    """Tell by the commit whether the very list is stored already, and intact."""
    image = offer.image
    stored = known.get((image.name, image.hardware))
    return (
        stored is not None
        and not stored.added
        and image.commit != ""
        and image.commit == stored.commit
        and bool(stored.python or not image.python)
        and is_intact(stored)
    )


def _take(
    source: ImageSource, offer: Offer, known: Mapping[tuple[str, str], Image], folder: Path
) -> _Outcome:
    """Read, verify and store a list."""
    image = offer.image
    before = known.get((image.name, image.hardware))
    if before is not None and before.added:
        return _Outcome.KEPT
    check_image_name(image.name)
    check_hardware(image.hardware)
    offered = source.read(offer)
    if offered is None:
        return _Outcome.ABSENT
    verified = verify_list(offered.content, source="its list", promised=image.packages, sha256=image.sha256)
    image = replace(image, python=offered.python or find_python(verified.file), os=offered.os)
    if before is not None and not image.commit and before.sha256 == verified.sha256 and is_intact(before):
        return _Outcome.CURRENT
    store_image(image, verified, folder)
    return _Outcome.NEW if before is None else _Outcome.UPDATED


def _clean(text: str) -> str:
    """Leave out credentials, and what would move the cursor of a terminal."""
    return "".join(each if each.isprintable() else "?" for each in hide_credentials(text))


def _explain(error: ImageSourceError, stored: int, missing: int) -> ImageSourceError:
    kept = f"{stored} images were stored before that, and {missing} are missing. Run the command again to continue."
    return ImageSourceError(error.message, hint=f"{error.hint}\n{kept}".strip())


def _shorten(labels: tuple[str, ...]) -> str:
    shown = ", ".join(labels[:_MOST_NAMED])
    rest = len(labels) - _MOST_NAMED
    return f"{shown} and {rest} more" if rest > 0 else shown
