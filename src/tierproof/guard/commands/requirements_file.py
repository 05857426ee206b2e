"""Requirements files as pip reads them, as far as they name requirements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tierproof.errors import UsageError

_COMMENT = re.compile(r"(^|\s)#.*$")
_PER_REQUIREMENT = re.compile(r"\s--(hash|config-settings|global-option)[=\s].*$")
_INCLUDE = re.compile(r"(?:-r\s*|--requirement[=\s]\s*)(\S.*)$")
_DEEPEST = 16


def read_requirements_file(path: Path) -> tuple[str, ...]:
    """Return the requirements of a file and of those that it includes with `-r`, in their order.

    Raises:
        UsageError: it cannot be read, includes itself, or holds an option that would change where packages
            come from; the message names the line.
    """
    return tuple(_iterate(path, ()))


def _iterate(path: Path, above: tuple[Path, ...]) -> Iterator[str]:
    if path.resolve() in above or len(above) > _DEEPEST:
        raise UsageError(
            f"{path} includes itself, or its files are nested too deeply",
            hint=f"Remove an `-r` line that leads back to {path.name}, or use fewer files.",
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        named_by = f", which {above[-1]} includes" if above else ""
        raise UsageError(
            f"cannot read the requirements file {path}{named_by}: {reason or error}",
            hint="Check the path, and that the file is UTF-8 text. A path in an `-r` line is relative to the file that "
            "contains the line.",
        ) from error
    for number, joined in _join_lines(text):
        line = _COMMENT.sub("", joined).strip()
        if not line:
            continue
        include = _INCLUDE.match(line)
        if include is not None:
            yield from _iterate(path.parent / include[1].strip(), (*above, path.resolve()))
        elif line.startswith("-"):
            raise UsageError(
                f"{path}, line {number}: the option {line.split()[0]} is not supported",
                hint="Keep only requirements in the file. The package index is taken from the settings of pip or uv.",
            )
        else:
            yield _PER_REQUIREMENT.sub("", line).strip()


def _join_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines with their numbers; a backslash at the end joins the next."""
    begun, joined = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        begun = begun or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            joined += line[:-1]
            continue
        yield begun, joined + line
        begun, joined = 0, ""
    if joined:
        yield begun, joined
