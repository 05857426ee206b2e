"""The extras that the installed tierproof declares: what each adds."""

from __future__ import annotations

import importlib.metadata

from packaging.requirements import InvalidRequirement, Requirement

from tierproof.errors import UsageError


def read_extras() -> dict[str, tuple[str, ...]]:
    """The extras of the installed tierproof, each with its requirements; empty where it is not installed."""
    try:
        metadata = importlib.metadata.metadata("tierproof")
    except importlib.metadata.PackageNotFoundError:
        return {}
    extras: dict[str, list[str]] = {name: [] for name in metadata.get_all("Provides-Extra") or []}
    for text in metadata.get_all("Requires-Dist") or []:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        for extra, found in extras.items():
            marker = requirement.marker
            if marker and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""}):
                found.append(f"{requirement.name}{requirement.specifier}")
    return {name: tuple(found) for name, found in extras.items()}


def read_extra(name: str) -> tuple[str, ...]:
    """The requirements of one extra.

    Raises:
        UsageError: the installed tierproof has no such extra.
    """
    extras = read_extras()
    if name not in extras:
        known = ", ".join(sorted(extras)) or "none, because tierproof itself is not installed as a package"
        raise UsageError(f"tierproof has no extra {name!r}", hint=f"Its extras: {known}.")
    return extras[name]
