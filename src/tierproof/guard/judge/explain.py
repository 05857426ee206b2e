"""A plan's verdict in words."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from functools import lru_cache

from tierproof.guard.capture.base import Base
from tierproof.guard.judge.plan import AddedPackage, AgedPackage, ShadowedPackage

_NAMED = 4


def join_sentences(*sentences: str) -> str:
    """Put sentences one after another, leaving out empty ones."""
    return " ".join(sentence.strip() for sentence in sentences if sentence.strip())


def name_packages(names: Sequence[str]) -> str:
    """List names as one reads them, the first few of many."""
    unique = list(dict.fromkeys(names))
    if len(unique) > _NAMED:
        return f"{', '.join(unique[:_NAMED])} and {len(unique) - _NAMED} more"
    return " and ".join([", ".join(unique[:-1]), unique[-1]] if len(unique) > 1 else unique)


def explain_added(add: Sequence[AddedPackage]) -> str:
    """Say what is added."""
    named = name_packages([f"{item.name} {item.version}" for item in add])
    return f"Adds {named}; nothing that is installed changes."


def explain_shadows(shadows: Sequence[ShadowedPackage], base: Base) -> str:
    """Say which packages would stand before the base's, and where that holds."""
    named = name_packages([f"{item.name} {item.version} (installed: {item.base})" for item in shadows])
    said = f"No live process has loaded what would change: later imports would take {named}; no installed file changes."
    if not (_has_user_site(base.executable) if base.user_site is None else base.user_site):
        said += (
            " This interpreter uses no user site, so this would hold in the calling process only, "
            "and elsewhere it runs isolated."
        )
    return said


def explain_aged(aged: Sequence[AgedPackage]) -> str:
    """Say what would come old."""
    if not aged:
        return ""
    named = name_packages([f"{item.name} {item.version} (latest: {item.latest})" for item in aged])
    return f"But the installed packages hold back {named}, which is markedly older."


@lru_cache(maxsize=8)
def _has_user_site(executable: str) -> bool:
    """Ask a child interpreter whether it puts the user's site on its path."""
    answer = subprocess.run(
        [executable, "-m", "site", "--user-site"], capture_output=True, check=False, timeout=30
    )
    return answer.returncode == 0
