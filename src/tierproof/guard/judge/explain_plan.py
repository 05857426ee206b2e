"""Puts a plan's verdict into words."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from functools import lru_cache

from tierproof.guard.capture.base import Base
from tierproof.guard.judge.conflict import spell_bounds
from tierproof.guard.judge.plan import AddedPackage, AgedPackage, Conflict, ShadowedPackage
from tierproof.guard.judge.shadow import find_loaded_bounds
from tierproof.guard.resolve.lock import Lock
from tierproof.guard.resolve.resolve import Resolver

_NAMED = 4


def join_sentences(*sentences: str) -> str:
    """Put sentences one after another, leaving out empty ones."""
    return " ".join(sentence.strip() for sentence in sentences if sentence.strip())


def name_packages(names: Sequence[str]) -> str:
    """Join names with commas and "and"; of many, name the first few and count the rest."""
    unique = list(dict.fromkeys(names))
    if len(unique) > _NAMED:
        return f"{', '.join(unique[:_NAMED])} and {len(unique) - _NAMED} more"
    return " and ".join([", ".join(unique[:-1]), unique[-1]] if len(unique) > 1 else unique)


def explain_added(add: Sequence[AddedPackage]) -> str:
    """Say what is added."""
    named = name_packages([f"{item.name} {item.version}" for item in add])
    return f"Adds {named}; no installed package changes."


def explain_shadows(shadows: Sequence[ShadowedPackage], base: Base) -> str:
    """Say which packages would be overridden, and in which processes."""
    named = name_packages([f"{item.name} {item.version} (installed: {item.base})" for item in shadows])
    said = (
        f"No running process has loaded the packages that would change. "
        f"Later imports would use {named}; no installed file changes."
    )
    if not (_has_user_site(base.executable) if base.user_site is None else base.user_site):
        said += (
            " This interpreter has no user site-packages, so only the calling process sees these versions. Other "
            "processes need `tierproof run --with`."
        )
    return said


def explain_aged(aged: Sequence[AgedPackage]) -> str:
    """Say which packages would be added in a much older release."""
    if not aged:
        return ""
    named = name_packages([f"{item.name} {item.version} (latest: {item.latest})" for item in aged])
    return f"But these releases are much older than the latest or the installed ones: {named}."


def explain_steady(
    steady: Sequence[str], conflicts: Sequence[Conflict], lock: Lock, resolver: Resolver
) -> str:
    """Say which loaded packages prevent a shadow whose conflicts are only about packages that nothing has loaded."""
    if not conflicts or {item.package for item in conflicts} & resolver.base.loaded.names:
        return ""
    bounds = [
        f"{bound.owner} needs {bound.name} {spell_bounds(bound.specifier)}"
        for bound in find_loaded_bounds(lock, resolver)
    ]
    if bounds:
        return f"The requested versions would break loaded packages: {', and '.join(bounds)}."
    versions = [f"{name} {found.version}" for name in steady if (found := lock.get(name)) is not None]
    return (
        f"The request would also bring other versions of packages in use: {name_packages(versions)}."
        if versions
        else ""
    )


@lru_cache(maxsize=8)
def _has_user_site(executable: str) -> bool:
    """Ask a child interpreter whether it puts the user's site on its path."""
    answer = subprocess.run(
        [executable, "-m", "site", "--user-site"], capture_output=True, check=False, timeout=30
    )
    return answer.returncode == 0
