"""The options of an install, in one place: `tierproof install`, `%tierproof install` and `tp.install` share them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from tierproof.api.packages.read_extras import read_extra
from tierproof.guard.commands.requirements_file import read_requirements_file


class InstallKeywords(TypedDict, total=False):
    """The keywords of `tp.install` that say what the user agrees to."""

    allow_shadow: bool
    allow_aged: bool
    waive: Collection[str]
    allow_build: Collection[str]
    trial: bool


@dataclass(frozen=True, slots=True)
class InstallOption:
    """One option as a command line spells it.

    Attributes:
        flag: such as `--allow-shadow`.
        keyword: of `tp.install` that it sets.
        help: one line.
        takes: what follows the flag, which may then be repeated; empty for a switch.
        sets: what a switch sets its keyword to; without the switch it is the opposite.
    """

    flag: str
    keyword: str
    help: str
    takes: str = ""
    sets: bool = True


ALLOW_BUILD = InstallOption(
    "--allow-build", "allow_build", "Allow PKG to be built from source, which runs its code.", takes="PKG"
)
INSTALL_OPTIONS = (
    InstallOption(
        "--allow-shadow",
        "allow_shadow",
        "Allow adding another version of an installed package that no running process has loaded. The installed "
        "files stay.",
    ),
    InstallOption("--waive", "waive", "Ignore the version bounds on the installed package PKG.", takes="PKG"),
    InstallOption(
        "--allow-aged",
        "allow_aged",
        "Allow a release that is much older than the latest, if no newer one fits.",
    ),
    ALLOW_BUILD,
    InstallOption(
        "--no-trial", "trial", "Skip the trial import of the packages in a child process.", sets=False
    ),
)


def read_keywords(given: Mapping[str, Any]) -> InstallKeywords:
    """Turn what a command line was given into keywords of `tp.install`.

    Args:
        given: by keyword: for a switch whether it was given, else what followed the flag each time.
    """
    keywords: Any = {
        option.keyword: tuple(given[option.keyword])
        if option.takes
        else bool(given[option.keyword]) is option.sets
        for option in INSTALL_OPTIONS
    }
    read: InstallKeywords = keywords
    return read


def read_requirements(
    requirements: Iterable[str], files: Iterable[str | Path], extras: Iterable[str] = ()
) -> tuple[str, ...]:
    """Give the requirements that were typed, then those of the requirements files and of tierproof's own extras.

    Raises:
        UsageError: a file cannot be read, or holds an option that would change where packages come from; or tierproof
            has no such extra.
    """
    return (
        *requirements,
        *(line for file in files for line in read_requirements_file(Path(file))),
        *(line for extra in extras for line in read_extra(extra)),
    )
