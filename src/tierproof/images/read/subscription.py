"""Subscriptions: targets, and the images that they must install on, read from a TOML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tierproof.errors import UsageError
from tierproof.images.read.toml_document import read_toml

DEFAULT_IMAGES = ("colab:latest", "colab:latest-gpu")
_KEYS = {"name", "targets", "images"}
_EXAMPLE = '[[subscribe]]\nname = "demo"\ntargets = ["demo.ipynb"]'


@dataclass(frozen=True, slots=True)
class Subscription:
    """Targets that belong together.

    Attributes:
        name: in reports.
        targets: as on the command line; paths start from `folder`.
        images: where they must install.
        folder: of the file with the subscription.
    """

    name: str
    targets: tuple[str, ...]
    images: tuple[str, ...]
    folder: Path


def read_subscriptions(path: Path) -> tuple[Subscription, ...]:
    """Read the subscriptions of a file.

    Raises:
        UsageError: it cannot be read, or has an unknown or invalid key.
    """
    document = read_toml(path)
    entries = document.get("subscribe")
    unknown = sorted(set(document) - {"subscribe"})
    if unknown or not isinstance(entries, list) or not entries:
        said = f"unknown key {unknown[0]!r}" if unknown else "it has no [[subscribe]] table"
        raise UsageError(f"{path}: {said}", hint=f"Write, for example:\n{_EXAMPLE}")
    found = tuple(_read(entry, number, path) for number, entry in enumerate(entries, 1))
    names = [each.name for each in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(
            f"{path}: two [[subscribe]] tables have the name {twice!r}", hint="Give each table its own name."
        )
    return found


def subscribe(targets: Sequence[str], images: Sequence[str] = ()) -> Subscription:
    """Make a subscription from the arguments of the command line."""
    return Subscription("watched", tuple(targets), tuple(images) or DEFAULT_IMAGES, Path.cwd())


def _read(entry: Any, number: int, path: Path) -> Subscription:
    if not isinstance(entry, dict):
        raise UsageError(
            f"{path}: entry {number} of `subscribe` is not a table", hint=f"Write, for example:\n{_EXAMPLE}"
        )
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        raise UsageError(
            f"{path}: unknown key {unknown[0]!r} in [[subscribe]] table {number}",
            hint=f"Allowed keys: {', '.join(sorted(_KEYS))}.",
        )
    targets, images = entry.get("targets"), entry.get("images", list(DEFAULT_IMAGES))
    for key, value in (("targets", targets), ("images", images)):
        if (
            not isinstance(value, list)
            or not value
            or not all(isinstance(each, str) and each for each in value)
        ):
            raise UsageError(
                f"{path}: `{key}` in [[subscribe]] table {number} must be a list of one or more non-empty "
                "strings",
                hint=f"Write, for example:\n{_EXAMPLE}",
            )
    name = entry.get("name", f"subscription {number}")
    if not isinstance(name, str) or not name:
        raise UsageError(
            f"{path}: `name` in [[subscribe]] table {number} must be a non-empty string",
            hint='Write, for example: name = "demo"',
        )
    return Subscription(name, tuple(targets or ()), tuple(images), path.resolve().parent)
