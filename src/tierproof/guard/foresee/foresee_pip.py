"""What would this command of pip or uv really change? Worked out before it runs.

This is not tierproof's own plan, which changes nothing that is installed. pip keeps an installed version that
satisfies what is asked and replaces any other, loaded or not, and looks at no other installed package's
bounds. It is resolved here the same way; nothing is built, and nothing is downloaded but metadata.

Reinstalling the very version that is loaded replaces files by their like, and counts as no change; nor does
putting back the version that this process runs.
"""

from __future__ import annotations

import os
import re
import site
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from packaging.specifiers import InvalidSpecifier
from packaging.utils import canonicalize_name

from tierproof.core.credentials import hide_credentials
from tierproof.errors import TierproofError
from tierproof.guard.capture.base import Base
from tierproof.guard.capture.disk_history import HISTORY
from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.commands.pip_command import Action, PipCommand, Program
from tierproof.guard.commands.requirement import RequestedPackage, Source
from tierproof.guard.foresee.command_wish import Wish, read_settings, read_wish
from tierproof.guard.foresee.foreseen import Change, Foreseen
from tierproof.guard.foresee.target_interpreter import changes_other_environment
from tierproof.guard.resolve.lock import Lock
from tierproof.guard.resolve.resolve import Freedom, Resolver, Unsolvable

DEFAULT_LIMIT_S = 15.0


def foresee(
    command: PipCommand,
    base: Base,
    *,
    limit_s: float = DEFAULT_LIMIT_S,
    environment: Mapping[str, str] | None = None,
    exclude_newer: str = "",
) -> Foreseen:
    """Predict what `command` would change in `base`.

    Args:
        command: as read by `parse_pip_commands`.
        base: this interpreter, with what is loaded, or one on another machine.
        limit_s: seconds that the resolution may take; after that, only changes that need no resolution are listed.
        environment: the variables that the command would run with; this process's by default.
        exclude_newer: a day or an instant in ISO format; what was uploaded later does not count.

    Never raises TierproofError: what could not be predicted is described in `unforeseen`.
    """
    started = time.perf_counter()
    variables = {**(os.environ if environment is None else environment), **dict(command.environment)}
    harmless, unforeseen = _judge_at_sight(command, base, variables)
    if harmless or unforeseen:
        return Foreseen(command, harmless=harmless, unforeseen=unforeseen)
    if command.action is Action.UNINSTALL:
        found = _foresee_removal(command, base)
    else:
        found = _foresee_install(command, base, variables, limit_s, exclude_newer)
    changes = tuple(each for each in found.changes if base.platform or not _is_running(each))
    return replace(
        found,
        changes=changes,
        unforeseen=hide_credentials(found.unforeseen),
        duration_s=time.perf_counter() - started,
    )


def _judge_at_sight(command: PipCommand, base: Base, variables: Mapping[str, str]) -> tuple[str, str]:
    """Why it is harmless, or why it cannot be foreseen; both empty if it must be worked out."""
    if not command.changes_packages:
        return "it changes no installed package", ""
    if command.program is Program.CONDA:
        return "", "tierproof cannot predict what conda would change"
    other = "" if base.platform else changes_other_environment(command, variables)
    if other:
        return f"it changes another environment, {other}", ""
    if command.elsewhere and base.platform:
        return f"it installs into the separate folder {command.elsewhere}", ""
    if command.elsewhere:
        folder = os.path.realpath(os.path.join(command.folder, os.path.expanduser(command.elsewhere)))  # noqa: PTH111, PTH118
        inside = any(os.path.realpath(entry or ".").startswith(folder) for entry in sys.path)
        if not inside:
            return f"it installs into {command.elsewhere}, which is not on the sys.path of this process", ""
        return (
            "",
            f"tierproof cannot predict what an install into {command.elsewhere}, which is on sys.path, would replace",
        )
    if command.action is Action.SYNC:
        return "", "tierproof cannot predict what uv would change in a project environment"
    return "", ""


def _foresee_removal(command: PipCommand, base: Base) -> Foreseen:
    wish = read_wish(command)
    names = {item.name for item in (*wish.resolvable, *wish.built) if item.name}
    changes = [_change(name, "", base) for name in sorted(names) if name in base.by_name]
    return Foreseen(command, tuple(changes))


def _foresee_install(
    command: PipCommand, base: Base, variables: Mapping[str, str], limit_s: float, exclude_newer: str
) -> Foreseen:
    wish = read_wish(command)
    resolvable = tuple(item for item in wish.resolvable if item.applies(base.markers))
    certain = {change.name: change for change in _find_certain(resolvable, wish.built, command, base)}
    reasons = [f"{text} cannot be parsed" for text in wish.unread]
    reasons += [
        f"{item.text} must be built first, so its dependencies are unknown"
        for item in wish.built
        if not command.no_deps
    ]
    added: tuple[str, ...] = ()
    if resolvable:
        try:
            asked = replace(wish, resolvable=resolvable)
            lock = _resolve(command, asked, base, variables, limit_s, exclude_newer)
        except TierproofError as error:
            reasons.append(error.message)
        else:
            if isinstance(lock, Unsolvable):
                reasons.append(f"no combination of versions satisfies it: {_shorten(lock.words)}")
                if (
                    command.wheels_only
                ):  # without a build pip finds none either, and ends before it changes anything
                    certain = {}
            else:
                certain |= {change.name: change for change in _compare(lock, base)}
                added = tuple(
                    f"{item.name} {item.version}".strip()
                    for item in lock.packages
                    if item.name not in base.by_name
                )
    changes = tuple(
        change for change in certain.values() if not command.user or _is_in_user_site(change, base)
    )
    return Foreseen(command, changes, added, unforeseen="; ".join(reasons))


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
        name = item.name or _guess_name(item.text)
        if name in base.by_name and not (
            command.program is Program.UV and not command.upgrade and not item.name
        ):
            found.append(_change(name, f"from {hide_credentials(item.text)}", base))
    return found


def _allows(item: RequestedPackage, version: str) -> bool:
    try:
        return item.allows(version)
    except InvalidSpecifier:
        return True


def _guess_name(text: str) -> str:
    """The last part of a repository's address: what a project is called there, it mostly is as a package."""
    last = re.split(r"[@#?]", text.partition("://")[2])[0].rstrip("/").rpartition("/")[2]
    return canonicalize_name(last.removesuffix(".git"))


def _resolve(
    command: PipCommand,
    wish: Wish,
    base: Base,
    variables: Mapping[str, str],
    limit_s: float,
    exclude_newer: str,
) -> Lock | Unsolvable:
    settings = read_settings(command, wish.options, variables)
    everything = frozenset(base.by_name)
    named = {item.name for item in wish.resolvable}
    if command.force_reinstall or (command.eager and command.upgrade):
        preferred: frozenset[str] = frozenset()
    else:
        renewed = named if command.upgrade else set()
        renewed |= {canonicalize_name(name) for name in command.upgrade_packages}
        preferred = everything - renewed
    freedom = Freedom(preferred=preferred, constraints=wish.constraints)
    with tempfile.TemporaryDirectory(prefix="tierproof-foresee-", ignore_cleanup_errors=True) as folder:
        resolver = Resolver(base, Path(folder), settings, (), limit_s, exclude_newer)
        lines = [item.line for item in wish.resolvable]
        return resolver.resolve(lines, freedom, dependencies=not command.no_deps)


def _compare(lock: Lock, base: Base) -> list[Change]:
    return [
        _change(item.name, item.version or "from a build", base)
        for item in lock.packages
        if item.name in base.by_name and item.version != str(base.version(item.name))
    ]


def _change(name: str, version: str, base: Base) -> Change:
    return Change(name, base.by_name[name].version, version, _is_loaded(name, base))


def _is_loaded(name: str, base: Base) -> bool:
    return name in base.loaded.names


def _is_running(change: Change) -> bool:
    """Tell whether the new version is the one that this process runs: then the command mends a tear."""
    module = sys.modules.get(change.name.replace("-", "_"))
    told = vars(module).get("__version__") if isinstance(module, ModuleType) else None
    version = HISTORY.find_loaded(change.name) or told
    return bool(change.version) and change.version.removeprefix("==") == version != change.installed


def _is_in_user_site(change: Change, base: Base) -> bool:
    """Tell whether an install into the user's site would replace files of this package."""
    if base.platform:  # Colab's packages lie in the system's folder
        return False
    present: InstalledDistribution = base.by_name[change.name]
    return os.path.realpath(present.root) == os.path.realpath(site.getusersitepackages())


def _shorten(words: str) -> str:
    return " ".join(words.split())[:300]
