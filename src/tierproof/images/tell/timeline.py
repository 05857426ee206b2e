"""The verdict of a requirement on each image, in the order of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from tierproof.core.json_value import JsonValue
from tierproof.core.plain_html import show_plainly
from tierproof.core.plain_text import clean_text
from tierproof.images.judge.preflight_result import TargetVerdict
from tierproof.images.lists.image_index import Image

FORMAT_VERSION = 1
_IN_THE_KERNEL = ("satisfied", "additive", "shadow")


@dataclass(frozen=True, slots=True)
class TimelinePoint:
    """One image.

    Attributes:
        image: its label.
        date: ISO, or empty.
        verdict: of the requirement there.
        version: of the requested packages, as `captum 0.9.0`; empty if none would be used.
        reason: the conflicting bound, or why it is unknown; empty if it is safe.
        aged: the package would be much older than its latest release.
    """

    image: str
    date: str
    verdict: str
    version: str = ""
    reason: str = ""
    aged: bool = False

    def to_dict(self) -> dict[str, JsonValue]:
        """Give it as JSON."""
        return {
            "image": self.image,
            "date": self.date,
            "verdict": self.verdict,
            "version": self.version,
            "reason": self.reason,
            "aged": self.aged,
        }


@dataclass(frozen=True, slots=True)
class Timeline:
    """One requirement over the images, the oldest first."""

    requirement: str
    points: tuple[TimelinePoint, ...]

    def to_dict(self) -> dict[str, JsonValue]:
        """Give it as JSON."""
        return {"requirement": self.requirement, "points": [each.to_dict() for each in self.points]}

    def to_text(self) -> str:
        """Return text with one line for each run of images with the same result."""
        lines = [self.requirement]
        rows = []
        for _, group in groupby(self.points, key=lambda each: (each.verdict, each.version, each.reason)):
            span = list(group)
            images = span[0].image if len(span) == 1 else f"{span[0].image} … {span[-1].image}"
            rows.append(
                (
                    images,
                    f"{len(span)}×",
                    span[0].verdict,
                    ", ".join(filter(None, (span[0].version, span[0].reason))),
                )
            )
        widths = [max((len(row[at]) for row in rows), default=0) for at in range(3)]
        lines += [
            "  "
            + "  ".join(cell.ljust(width) for cell, width in zip(row, (*widths, 0), strict=True)).rstrip()
            for row in rows
        ]
        return clean_text("\n".join(lines))


@dataclass(frozen=True, slots=True)
class Timelines:
    """Several requirements over the same images."""

    lines: tuple[Timeline, ...]
    duration_s: float = 0.0

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the `images timeline --json` document."""
        return {
            "format_version": FORMAT_VERSION,
            "timelines": [each.to_dict() for each in self.lines],
            "duration_s": self.duration_s,
        }

    def to_text(self) -> str:
        """Give all of them as text."""
        return "\n\n".join(each.to_text() for each in self.lines)

    def _repr_html_(self) -> str:
        return show_plainly(self.to_text())


def make_timelines(
    verdicts: Sequence[TargetVerdict], images: Sequence[Image], duration_s: float = 0.0
) -> Timelines:
    """Order what preflight found by target and by the date of its image."""
    dates = {image.label: image.date for image in images}
    targets = list(dict.fromkeys(each.target.name for each in verdicts))
    ordered = sorted(verdicts, key=lambda each: (dates.get(each.image, ""), each.image))
    return Timelines(
        tuple(
            Timeline(
                name,
                tuple(
                    _describe(each, dates.get(each.image, "")) for each in ordered if each.target.name == name
                ),
            )
            for name in targets
        ),
        duration_s,
    )


def _describe(verdict: TargetVerdict, date: str) -> TimelinePoint:
    plans = [each.answer.plan for each in verdict.installs if each.answer.plan is not None]
    asked = {word.partition("==")[0] for plan in plans for word in map(_name, plan.requested)}
    found: dict[str, str] = {}
    for plan in plans:
        found |= {item.name: item.version for item in plan.add if item.name in asked}
        found |= {item.name: item.version for item in plan.reuse if item.name in asked}
        found |= {item.name: item.version for item in plan.shadows if item.name in asked}
    if verdict.verdict not in _IN_THE_KERNEL:
        found = {}
    versions = [f"{name} {version}" for name, version in found.items()]
    aged = any(plan.aged for plan in plans)
    return TimelinePoint(
        verdict.image, date, verdict.verdict, ", ".join(versions), find_reason(verdict), aged
    )


def find_reason(verdict: TargetVerdict) -> str:
    """Say in a few words why a target is not safe to install; empty if it is."""
    for each in verdict.installs:
        if each.failed:
            return each.answer.problem.splitlines()[0]
        plan = each.answer.plan
        if plan is None or plan.ok:
            continue
        if plan.gaps:
            return plan.gaps[0].describe()
        if plan.conflicts:
            bound = plan.conflicts[0]
            return (
                f"{bound.required_by} needs {bound.package}{bound.required}; the image has {bound.installed}"
            )
        if plan.aged:
            return f"this release is much older than the latest, {plan.aged[0].latest}"
        return plan.explanation.partition(". ")[0].rstrip(".")
    if verdict.gaps:
        return verdict.gaps[0].describe()
    if verdict.harms:
        return f"plain pip would change {verdict.harms[0].name}, which the image's kernel has loaded"
    return ""


def _name(requirement: str) -> str:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    try:
        return canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:
        return requirement
