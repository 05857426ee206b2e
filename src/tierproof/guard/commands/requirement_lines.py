"""All that pip reads in requirements files, flattened: requests, bounds, and where packages come from."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tierproof.errors import UsageError
from tierproof.guard.commands.pip_options import ReadOptions, read_options

_COMMENT = re.compile(r"(\A|\s)#.*\Z")
_HASHES = re.compile(r"\s--(hash|config-settings|global-option)[= ].*\Z")
_DEPTH = 8


@dataclass(slots=True)
class RequirementLines:
    """What requirements files ask for; local paths in them are relative to the folder of their file.

    Attributes:
        requirements: each with the folder that its path, if it is one, is relative to.
        constraints: bounds alone.
        options: those given in the files.
    """

    requirements: list[tuple[str, Path]] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    options: list[tuple[str, str]] = field(default_factory=list)

    @property
    def read_options(self) -> ReadOptions:
        """The options, as those of a command."""
        return ReadOptions(tuple(self.options), ())


def read_requirement_lines(
    path: Path,
    into: RequirementLines,
    *,
    constraint: bool = False,
    depth: int = 0,
    given: Mapping[str, str] | None = None,
    named_by: str = "",
) -> None:
    """Read a file and what it refers to.

    Args:
        path: of the file.
        into: receives the result.
        constraint: treat the lines as bounds, not as requests.
        depth: number of files that include this one.
        given: the text of files that are not on disk, by normal path.
        named_by: words on the file that includes this one, for a message.

    Raises:
        UsageError: a file cannot be read.
    """
    told = (given or {}).get(os.path.normpath(path))
    try:
        text = path.read_text(encoding="utf-8-sig") if told is None else told
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"cannot read the requirements file {path}{named_by}: {reason or error}",
            hint="Check the path, and that the file is UTF-8 text. A path in an `-r` line is relative to the file that "
            "contains the line.",
        ) from error
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        said = _COMMENT.sub("", line).strip()
        if not said:
            continue
        if not said.startswith("-"):
            requirement = _HASHES.sub("", said).strip()
            if constraint:
                into.constraints.append(requirement)
            else:
                into.requirements.append((requirement, path.parent))
            continue
        _read_option_line(said, path, into, constraint, depth, given or {})


def _read_option_line(
    line: str,
    path: Path,
    into: RequirementLines,
    constraint: bool,
    depth: int,
    given: Mapping[str, str],
) -> None:
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    for name, value in read_options(words).options:
        if name in ("requirement", "constraint") and depth < _DEPTH:
            read_requirement_lines(
                path.parent / value,
                into,
                constraint=constraint or name == "constraint",
                depth=depth + 1,
                given=given,
                named_by=f", which {path} includes",
            )
        elif name == "editable":
            into.requirements.append((value, path.parent))
        else:
            into.options.append((name, value))
