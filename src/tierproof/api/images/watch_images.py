"""The watch over hosted images, with the store, the index and the report folder."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tierproof.api.images.preflight import check_date, open_images
from tierproof.errors import UsageError
from tierproof.images.base.hosted_base import HostedBase
from tierproof.images.judge.judge_install import QuestionOptions
from tierproof.images.judge.preflight import preflight
from tierproof.images.judge.preflight_result import TargetVerdict
from tierproof.images.read.read_target import read_targets
from tierproof.images.read.subscription import DEFAULT_IMAGES, Subscription, read_subscriptions, subscribe
from tierproof.images.store.image_source import ImageSourceError
from tierproof.images.store.open_source import open_source
from tierproof.images.store.resolve_image import open_image
from tierproof.images.store.sync_images import sync_images
from tierproof.images.tell.watch_images import watch_images
from tierproof.images.tell.watch_report import WatchReport, read_last_report, write_report


def watch(
    words: Sequence[str],
    *,
    images: Sequence[str] = (),
    report: Path | None = None,
    sync_from: str | None = "",
    exclude_newer: str = "",
    on_step: Callable[[str], None] = lambda _: None,
) -> WatchReport:
    """Sync the images, check all subscriptions, compare with the last report and write today's.

    Args:
        words: a TOML file of subscriptions, or targets as preflight takes them.
        images: for targets; the newest for each hardware by default.
        report: folder of the reports; None writes none and compares with none.
        sync_from: the source of images; None for no sync.
        exclude_newer: a date or time in ISO format.
        on_step: called with a description of each step.

    Raises:
        UsageError: a file, a target or an image cannot be read.
        OutputError: the report cannot be written.
    """
    subscriptions = _read(words, images)
    notes = [] if sync_from is None else _sync(sync_from, on_step)
    today = dt.datetime.now(dt.UTC).date().isoformat()
    last, unread = (None, ()) if report is None else read_last_report(report, today)
    options = QuestionOptions(check_date(exclude_newer))
    opened: dict[str, HostedBase] = {}

    def judge(subscription: Subscription, asked: str) -> Sequence[TargetVerdict]:
        on_step(f"{subscription.name} on {asked}")
        try:
            if asked not in opened:
                (opened[asked],) = open_images((asked,), on_step=on_step)
        except UsageError:
            if asked in DEFAULT_IMAGES[1:]:  # no image of that hardware is stored
                return ()
            raise
        targets = read_targets(subscription.targets, folder=subscription.folder)
        return preflight(targets, [opened[asked]], options).results

    found = watch_images(subscriptions, judge, _find_versions, last, today, [*notes, *unread])
    if report is not None:
        write_report(found, report)
    return found


def _read(words: Sequence[str], images: Sequence[str]) -> tuple[Subscription, ...]:
    configs = [word for word in words if word.endswith(".toml") and "pylock" not in Path(word).name]
    if not configs:
        if not words:
            raise UsageError(
                "nothing was named to watch",
                hint="Name notebooks or requirements files, or a TOML file with [[subscribe]] tables.",
            )
        return (subscribe(words, images),)
    if len(configs) != len(words) or images:
        other = next((word for word in words if word not in configs), *images[:1])
        raise UsageError(
            f"{other} cannot be passed together with {configs[0]}, which itself names what to watch on which images",
            hint=f"Write {other} into {configs[0]}, under `targets` (notebooks, requirements) or `images`.",
        )
    return tuple(each for config in configs for each in read_subscriptions(Path(config)))


def _sync(source: str, on_step: Callable[[str], None]) -> list[str]:
    """Sync; where that fails, say so and go on with what is stored."""
    try:
        result = sync_images(open_source(source), on_progress=lambda _done, _total, name: on_step(name))
    except ImageSourceError as error:
        return [f"the images could not be updated: {error.message}"]
    notes = [f"new image: {label}" for label in result.new] if len(result.new) < result.current else []
    return [
        *notes,
        *(f"the list of the image {label} was refused: {reason}" for label, reason in result.refused),
    ]


def _find_versions(label: str) -> Mapping[str, str]:
    try:
        return {item.name: item.version for item in open_image(label).file.packages}
    except UsageError:  # it is stored no longer
        return {}
