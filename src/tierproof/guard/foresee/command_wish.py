"""Parses what an install command requests: requirements, bounds and index settings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tierproof.errors import UsageError
from tierproof.guard.commands.gap import Gap, GapReason
from tierproof.guard.commands.pip_command import PipCommand, Program
from tierproof.guard.commands.requirement import RequestedPackage, Source, parse_requirement
from tierproof.guard.commands.requirement_lines import RequirementLines, read_requirement_lines
from tierproof.guard.resolve.index_settings import IndexSettings, read_index_settings

_PATH = re.compile(r"[.~]?/|\.{1,2}(\[[\w,-]*\])?\Z")
_ARCHIVE = re.compile(r"[^:]+\.(whl|zip|tgz|tar\.(gz|bz2|xz))\Z")
_STRATEGY = "--index-strategy"
_UV_INDEX = re.compile(r"UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX)\Z")


@dataclass(frozen=True, slots=True)
class Wish:
    """The parsed requirements of a command.

    Attributes:
        resolvable: those that come from an index or a wheel.
        built: those that must be built first.
        constraints: bounds alone.
        options: of requirements files.
        gaps: files that are not there, and what cannot be parsed.
    """

    resolvable: tuple[RequestedPackage, ...]
    built: tuple[RequestedPackage, ...]
    constraints: tuple[str, ...]
    options: RequirementLines
    gaps: tuple[Gap, ...] = ()


def read_wish(command: PipCommand) -> Wish:
    """Parse what `command` requests; what cannot be read is a gap."""
    folder = Path(command.folder or ".")
    lines = RequirementLines()
    gaps: list[Gap] = []
    for named, constraint in [(file, False) for file in command.requirement_files] + [
        (file, True) for file in command.constraint_files
    ]:
        try:
            read_requirement_lines(
                folder / named, lines, constraint=constraint, given=dict(command.given_files)
            )
        except UsageError as error:
            gaps.append(Gap(GapReason.FILE, named, error.message))
    texts = [(text, folder) for text in command.requirements]
    texts += [(_drop_fragment(text), folder) for text in command.editables]
    resolvable: list[RequestedPackage] = []
    built: list[RequestedPackage] = []
    for text, where in [*texts, *lines.requirements]:
        try:
            item = parse_requirement(text, folder=where)
        except UsageError as error:
            gaps.append(_explain_unread(text, error.message))
            continue
        is_built = item.source is Source.BUILD or text in command.editables
        (built if is_built else resolvable).append(item)
    return Wish(tuple(resolvable), tuple(built), tuple(lines.constraints), lines, tuple(gaps))


def _explain_unread(text: str, message: str) -> Gap:
    if _ARCHIVE.match(text):
        return Gap(GapReason.FILE, text, "this file is not there, so what it requires is not known")
    if _PATH.match(text):
        return Gap(
            GapReason.BUILD, text, "this project folder does not exist, so its requirements are not known"
        )
    return Gap(GapReason.TEXT, text, f"this requirement cannot be parsed ({message})")


def _drop_fragment(text: str) -> str:
    return text if "://" in text else text.partition("#")[0]


def read_settings(
    command: PipCommand, files: RequirementLines, variables: Mapping[str, str]
) -> IndexSettings:
    """Return the index settings of a command: from the configuration, its requirements files and its options."""
    given = files.read_options
    index = command.index_url or given.last("index-url")
    extra = [*given.all("extra-index-url"), *command.extra_index_urls]
    links = [*given.all("find-links"), *command.find_links]
    told = dict(variables)
    uses_uv_settings = command.program is Program.UV and any(_UV_INDEX.match(name) for name in told)
    if not uses_uv_settings:  # pip does not read uv's
        told = {name: value for name, value in told.items() if not _UV_INDEX.match(name)}
    if command.no_index or given.has("no-index"):
        told["UV_NO_INDEX" if uses_uv_settings else "PIP_NO_INDEX"] = "1"
    if uses_uv_settings:
        if index:
            told["UV_DEFAULT_INDEX"] = index
        told["UV_INDEX"] = " ".join([*extra, told.get("UV_INDEX", "")]).strip()
        told["UV_FIND_LINKS"] = ",".join([*links, *filter(None, [told.get("UV_FIND_LINKS", "")])])
        told = {name: value for name, value in told.items() if value or not _UV_INDEX.match(name)}
        settings = read_index_settings(told)
        # On uv's command line the stubs' --find-links would take the variable's place.
        settings = replace(settings, options=(*settings.options, *_spell((), settings.find_links, ())))
    else:
        if index:
            told["PIP_INDEX_URL"] = index
        settings = read_index_settings(told)
        settings = replace(
            settings,
            index_urls=(*extra, *settings.index_urls),
            find_links=(*settings.find_links, *links),
            options=(*settings.options, *_spell(extra, links, settings.options)),
        )
    if command.prereleases or given.has("pre"):
        settings = replace(settings, options=(*settings.options, "--prerelease", "allow"))
    return settings


def _spell(extra: Sequence[str], links: Sequence[str], present: Sequence[str]) -> list[str]:
    """The options for more indexes and links, beside those that are `present`: uv takes a strategy only once."""
    options = [word for url in extra for word in ("--extra-index-url", url)]
    if extra and _STRATEGY not in present:  # pip takes the best of all indexes
        options += [_STRATEGY, "unsafe-best-match"]
    return [*options, *(word for link in links for word in ("--find-links", os.path.expanduser(link)))]  # noqa: PTH111
