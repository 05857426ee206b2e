"""Turns an install command into requests for a plan: its requirements, with `--upgrade` as versions."""

from __future__ import annotations

from collections.abc import Sequence

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tierproof.guard.commands.requirement import RequestedPackage, Source, parse_requirement
from tierproof.guard.foresee.foreseen import Foreseen


def name_requests(foreseen: Foreseen) -> list[str]:
    """The requirements as typed; where the newest version was asked for, that version."""
    return [_spell(text, foreseen) for text in foreseen.command.requirements]


def choose_newest(requested: Sequence[RequestedPackage], foreseen: Foreseen) -> tuple[RequestedPackage, ...]:
    """The same for requirements that were read, with all that the command renews beside what it names.

    `--force-reinstall`, and `--upgrade` with dependencies, ask for the newest version of these as well.
    """
    command = foreseen.command
    found = [
        parse_requirement(spelled)
        if item.source is Source.INDEX and (spelled := _spell(item.text, foreseen)) != item.text
        else item
        for item in requested
    ]
    if command.force_reinstall or (command.eager and command.upgrade):
        named = {item.name for item in requested}
        found += [
            parse_requirement(f"{change.name}=={change.version}")
            for change in foreseen.changes
            if change.name not in named and change.version[:1].isdigit()
        ]
    return tuple(found)


def _spell(text: str, foreseen: Foreseen) -> str:
    command = foreseen.command
    if not (command.upgrade or command.force_reinstall):
        return text
    try:
        parsed = Requirement(text)
    except InvalidRequirement:
        return text
    name = canonicalize_name(parsed.name)
    version = next((change.version for change in foreseen.changes if change.name == name), "")
    if not version[:1].isdigit() or parsed.url:
        return text
    extras = f"[{','.join(sorted(parsed.extras))}]" if parsed.extras else ""
    return f"{parsed.name}{extras}=={version}"
