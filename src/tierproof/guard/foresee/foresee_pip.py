"""What would this command of pip or uv really change? Worked out before it runs.

This is not tierproof's own plan, which changes nothing that is installed. pip keeps an installed version that
satisfies what is asked and replaces any other, loaded or not, and looks at no other installed package's
bounds. It is resolved here the same way; nothing is built, and nothing is downloaded but metadata.

Reinstalling the very version that is loaded replaces files by their like, and counts as no change; nor does
putting back the version that this process runs.
"""

from __future__ import annotations

import os
import site
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from packaging.specifiers import InvalidSpecifier

from tierproof.core.credentials import hide_credentials
from tierproof.errors import TierproofError
from tierproof.guard.capture.base import Base
from tierproof.guard.capture.disk_history import HISTORY
from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.capture.module_namespace import read_namespace
from tierproof.guard.commands.gap import Gap, GapReason
from tierproof.guard.commands.pip_command import Action, PipCommand, Program
from tierproof.guard.commands.requirement import RequestedPackage, Source
from tierproof.guard.foresee.at_sight import judge_at_sight
from tierproof.guard.foresee.command_wish import read_wish
from tierproof.guard.foresee.foreseen import Change, Foreseen
from tierproof.guard.foresee.overwritten_files import find_overwritten
from tierproof.guard.foresee.pip_resolution import PipResolution, open_pip_resolver, resolve_as_pip
from tierproof.guard.resolve.lock import Lock, LockedPackage, has_native_wheel
from tierproof.guard.sources.find_sources import guess_name

DEFAULT_LIMIT_S = 15.0


def foresee(
    command: PipCommand,
    base: Base,
    *,
    limit_s: float = DEFAULT_LIMIT_S,
    environment: Mapping[str, str] | None = None,
    exclude_newer: str = "",
    allow_build: Collection[str] = (),
) -> Foreseen:
    """Predict what `command` would change in `base`.

    Args:
        command: as read by `parse_pip_commands`.
        base: this interpreter, with what is loaded, or one on another machine.
        limit_s: seconds that the resolution may take; after that, only changes that need no resolution are listed.
        environment: the variables that the command would run with; this process's by default.
        exclude_newer: a day or an instant in ISO format; what was uploaded later does not count.
        allow_build: names whose metadata may be built, which runs their code.

    Never raises TierproofError: what could not be predicted is a gap of the answer.
    """
    started = time.perf_counter()
    variables = {**(os.environ if environment is None else environment), **dict(command.environment)}
    sight = judge_at_sight(command, base, variables)
    if sight.harmless or sight.gap is not None:
        gaps = () if sight.gap is None else (sight.gap,)
        return Foreseen(command, harmless=sight.harmless, gaps=gaps)
    if command.action is Action.UNINSTALL:
        found = _foresee_removal(command, base)
    else:
        found = _foresee_install(command, base, variables, limit_s, exclude_newer, allow_build)
    changes = sorted(
        (each for each in found.changes if base.platform or not _is_running(each)), key=lambda each: each.rank
    )
    return replace(found, changes=tuple(changes), duration_s=time.perf_counter() - started)


def _foresee_removal(command: PipCommand, base: Base) -> Foreseen:
    wish = read_wish(command)
    names = {item.name for item in (*wish.resolvable, *wish.built) if item.name}
    changes = [_change(name, "", base) for name in sorted(names) if name in base.by_name]
    return Foreseen(command, tuple(changes), gaps=wish.gaps)


def _foresee_install(
    command: PipCommand,
    base: Base,
    variables: Mapping[str, str],
    limit_s: float,
    exclude_newer: str,
    allow_build: Collection[str],
) -> Foreseen:
    wish = read_wish(command)
    wish = replace(
        wish,
        resolvable=tuple(item for item in wish.resolvable if item.applies(base.markers)),
        built=tuple(item for item in wish.built if item.applies(base.markers)),
    )
    certain = {change.name: change for change in _find_certain(wish.resolvable, wish.built, command, base)}
    gaps, overwritten = list(wish.gaps), tuple[Change, ...]()
    try:
        with open_pip_resolver(
            command,
            wish,
            base,
            variables,
            limit_s=limit_s,
            exclude_newer=exclude_newer,
            allow_build=allow_build,
        ) as resolver:
            found = resolve_as_pip(command, wish, resolver, limit_s)
            if found.lock is not None:
                overwritten, unread = find_overwritten(found.lock, resolver)
                gaps += unread
    except TierproofError as error:
        gaps.append(Gap(GapReason.INDEX, command.text, error.message))
        found = PipResolution(None)
    if found.refused:
        return Foreseen(
            command,
            harmless=f"pip refuses this request and changes nothing: {found.refused}",
            refused=found.refused,
        )
    gaps += found.gaps
    if found.words:
        gaps.append(
            Gap(
                GapReason.BUILD,
                command.text,
                f"no combination of versions satisfies this request ({_shorten(found.words)})",
            )
        )
        if command.wheels_only:  # without a build pip finds none either, and ends before it changes anything
            certain = {}
    brought: tuple[LockedPackage, ...] = ()
    if found.lock is not None:
        certain |= {change.name: change for change in _compare(found.lock, base)}
        certain |= {change.name: change for change in overwritten if change.name not in certain}
        brought = _list_brought(found.lock, base)
    changes = tuple(
        change for change in certain.values() if not command.user or _is_in_user_site(change, base)
    )
    added = tuple(f"{item.name} {item.version}".strip() for item in brought if item.name not in base.by_name)
    return Foreseen(command, changes, added, gaps=tuple(dict.fromkeys(gaps)), brought=brought)


def _find_certain(
    resolvable: Sequence[RequestedPackage],
    built: Sequence[RequestedPackage],
    command: PipCommand,
    base: Base,
) -> list[Change]:
    """The changes that need no resolution: a version asked for that is not the installed one, or a build of it."""
    found = []
    for item in resolvable:
        present = base.by_name.get(item.name)
        if present is None or item.source is not Source.INDEX:
            continue
        if not _allows(item, present.version):
            found.append(_change(item.name, item.specifier, base))
    for item in built:
        name = item.name or guess_name(item.text)
        if (
            name
            and name in base.by_name
            and not (command.program is Program.UV and not command.upgrade and not item.name)
        ):
            found.append(_change(name, f"from {hide_credentials(item.text)}", base))
    return found


def _allows(item: RequestedPackage, version: str) -> bool:
    try:
        return item.allows(version)
    except InvalidSpecifier:
        return True


def _compare(lock: Lock, base: Base) -> list[Change]:
    """List what a resolution replaces; a source from an address is told by its address, and not here."""
    return [
        replace(_change(item.name, item.version, base), native=has_native_wheel(item))
        for item in lock.packages
        if item.name in base.by_name
        and item.version != str(base.version(item.name))
        and not (item.direct and item.built)
    ]


def _list_brought(lock: Lock, base: Base) -> tuple[LockedPackage, ...]:
    """List what is written to disk: packages that are new, or of another version or source."""
    return tuple(
        item
        for item in lock.packages
        if item.name not in base.by_name or item.direct or item.version != str(base.version(item.name))
    )


def _change(name: str, version: str, base: Base) -> Change:
    return Change(name, base.by_name[name].version, version, _is_loaded(name, base))


def _is_loaded(name: str, base: Base) -> bool:
    return name in base.loaded.names


def _is_running(change: Change) -> bool:
    """Tell whether the new version is the one that this process runs: then the command mends a tear."""
    told = read_namespace(sys.modules.get(change.name.replace("-", "_"))).get("__version__")
    version = HISTORY.find_loaded(change.name) or (told if type(told) is str else None)
    return bool(change.version) and change.version.removeprefix("==") == version != change.installed


def _is_in_user_site(change: Change, base: Base) -> bool:
    """Tell whether an install into the user's site would replace files of this package."""
    if base.platform:  # Colab's packages lie in the system's folder
        return False
    present: InstalledDistribution = base.by_name[change.name]
    return os.path.realpath(present.root) == os.path.realpath(site.getusersitepackages())


def _shorten(words: str) -> str:
    return " ".join(words.split())[:300]
