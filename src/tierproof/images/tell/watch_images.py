"""The watch: judge all subscriptions, and compare with the last report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tierproof.images.judge.preflight_result import TargetVerdict
from tierproof.images.read.subscription import Subscription
from tierproof.images.tell.timeline import find_reason
from tierproof.images.tell.watch_report import VerdictChange, WatchEntry, WatchReport

# Gives the verdicts of targets on an image named as in a subscription.
Judge = Callable[[Subscription, str], Sequence[TargetVerdict]]
# Gives the versions of an image's packages, by its label; empty where it is not there any more.
Versions = Callable[[str], Mapping[str, str]]


def watch_images(
    subscriptions: Sequence[Subscription],
    judge: Judge,
    versions: Versions,
    last: WatchReport | None,
    date: str,
    notes: Sequence[str] = (),
) -> WatchReport:
    """Make today's report.

    Args:
        subscriptions: what is watched.
        judge: of the targets of a subscription on one image.
        versions: of an image's packages.
        last: the report before, if there is one.
        date: today, ISO.
        notes: passed on.
    """
    before = {each.key: each for each in last.entries} if last is not None else {}
    entries = [
        _compare(subscription, asked, verdict, before, versions)
        for subscription in subscriptions
        for asked in subscription.images
        for verdict in judge(subscription, asked)
    ]
    return WatchReport(date, tuple(entries), last.date if last is not None else "", tuple(notes))


def _compare(
    subscription: Subscription,
    asked: str,
    verdict: TargetVerdict,
    before: Mapping[tuple[str, str, str], WatchEntry],
    versions: Versions,
) -> WatchEntry:
    key = (subscription.name, verdict.target.name, asked)
    last = before.get(key)
    change = find_change(verdict.exit_code, None if last is None else last.exit_code)
    reason = find_reason(verdict)
    if change is VerdictChange.BREAKS and last is not None:
        reason = " – ".join(part for part in (reason, _find_move(verdict, last.image, versions)) if part)
    return WatchEntry(*key, verdict.image, verdict.verdict, verdict.exit_code, change, reason)


def find_change(now: int, before: int | None) -> VerdictChange:
    """Compare the exit codes of a target; a new target that is broken counts as breaking."""
    if now == 2:
        return VerdictChange.UNKNOWN
    if now == 0:
        return VerdictChange.MENDED if before == 1 else VerdictChange.FINE
    return VerdictChange.BROKEN if before == 1 else VerdictChange.BREAKS


def _find_move(verdict: TargetVerdict, last_image: str, versions: Versions) -> str:
    """Say what the image did: the package in the way had another version on the image before."""
    if last_image == verdict.image:
        return ""
    old, new = versions(last_image), versions(verdict.image)
    packages = [
        bound.package
        for each in verdict.installs
        if each.answer.plan is not None
        for bound in each.answer.plan.conflicts
    ]
    moved = [
        f"{name} {old.get(name, '(absent)')} → {new.get(name, '(absent)')}"
        for name in dict.fromkeys(packages)
        if old and old.get(name) != new.get(name)
    ]
    return (
        f"since {last_image} the image changed {', '.join(moved[:3])}"
        if moved
        else f"it worked on {last_image}"
    )
