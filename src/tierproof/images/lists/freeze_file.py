"""Parse the output of `pip freeze`, including URLs, paths, repositories, local versions, comments, duplicates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from tierproof.core.credentials import hide_credentials
from tierproof.errors import UsageError

# What pip writes above an editable project: `# Editable install with no version control (name==1.0)`.
_EDITABLE_NOTE = re.compile(r"#.*\(([A-Za-z0-9][\w.-]*)===?([^\s()]+)\)\s*\Z")
_EGG = re.compile(r"(?:\A|&)egg=([A-Za-z0-9][\w.-]*)")
_COMMENT = re.compile(r"(?:\A|\s)#\s.*\Z|(?:\A|\s)#\Z")
_HASHES = re.compile(r"\s+(?:--hash=\S+|\\)(?=\s|\Z)")
_LONGEST_LINE = 10_000
_LONGEST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class FrozenPackage:
    """One package of a freeze list.

    Attributes:
        name: normalised.
        version: normalised; empty if the line does not give it, as for a repository.
        url: where it came from instead of an index; empty for one with a plain version.
        editable: it is a project folder or a working copy.
        line: number of its line, from 1.
    """

    name: str
    version: str
    url: str = ""
    editable: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True)
class SkippedLine:
    """A line that gave no package.

    Attributes:
        line: its number, from 1.
        text: of the line, without credentials.
        reason: why it was skipped.
        repeated: an earlier line lists the same package.
    """

    line: int
    text: str
    reason: str
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class FreezeFile:
    """The packages of a freeze list, and the lines that were skipped, each with the reason."""

    packages: tuple[FrozenPackage, ...]
    skipped: tuple[SkippedLine, ...] = ()


def parse_freeze(text: str, *, source: str = "the list") -> FreezeFile:
    """Parse a freeze list.

    Args:
        text: of the file.
        source: what it is called in an error.

    Raises:
        UsageError: no line names a package, for instance because a web page was saved as the list.
    """
    found: dict[str, FrozenPackage] = {}
    skipped: list[SkippedLine] = []
    noted: tuple[str, str] | None = None
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        line = raw.strip()
        if line.startswith("#"):
            match = _EDITABLE_NOTE.match(line)
            noted = (match[1], match[2]) if match else None
            continue
        line = _HASHES.sub("", _COMMENT.sub("", line)).strip()
        if not line:
            continue
        package = _parse_line(line, number, noted)
        noted = None
        if isinstance(package, str):
            skipped.append(SkippedLine(number, _shorten(line), package))
        elif package.name in found:
            first = found[package.name]
            skipped.append(
                SkippedLine(
                    number, _shorten(line), f"{package.name} is already on line {first.line}", repeated=True
                )
            )
        else:
            found[package.name] = package
    if not found:
        raise UsageError(
            f"{source} lists no package",
            hint="Pass the output of `pip freeze`, with one `name==version` per line."
            + (f" Line {skipped[0].line} does not have this form: {skipped[0].text[:80]}" if skipped else ""),
        )
    return FreezeFile(tuple(found.values()), tuple(skipped))


def find_python(file: FreezeFile) -> str:
    """Return the Python version that the list's wheels were built for, such as `3.10`; empty if no wheel names it."""
    for package in file.packages:
        # The ABI tag decides: cp39-abi3 is for Python 3.9 and every later one.
        match = re.search(r"-cp(\d)(\d+)-cp\1\2", _file_name(package.url)) if package.url else None
        if match:
            return f"{match[1]}.{match[2]}"
    return ""


def _shorten(line: str) -> str:
    return hide_credentials(line)[:_LONGEST_SHOWN]


def _parse_line(line: str, number: int, noted: tuple[str, str] | None) -> FrozenPackage | str:
    """Give the package of a line, or the reason why there is none."""
    if len(line) > _LONGEST_LINE:
        return "the line is too long"
    match = re.match(r"(?:-e|--editable)[\s=]+(.+)", line)
    if match:
        return _parse_editable(match[1].strip(), number, noted)
    if line.startswith("-"):
        return "this is a pip option, not a package"
    if re.match(r"[\w.+-]+://|git\+|[./~]", line):
        return _parse_url(line, number)
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return "this is not a valid requirement"
    name = canonicalize_name(requirement.name)
    if requirement.url is not None:
        version = _read_version(requirement.url)
        return FrozenPackage(name, version, requirement.url, _is_folder(requirement.url), number)
    bounds = list(requirement.specifier)
    if len(bounds) != 1 or bounds[0].operator not in ("==", "===") or bounds[0].version.endswith(".*"):
        return "it is not pinned to an exact version"
    pinned = _normalise(bounds[0].version)
    return FrozenPackage(name, pinned, line=number) if pinned else "the version is not valid (PEP 440)"


def _parse_editable(target: str, number: int, noted: tuple[str, str] | None) -> FrozenPackage | str:
    egg = _EGG.search(_fragment(target))
    if egg is None and noted is None:
        return "this editable install does not name its package"
    name = egg[1] if egg else noted[0] if noted else ""
    version = ""
    if noted and canonicalize_name(noted[0]) == canonicalize_name(name):
        version = _normalise(noted[1])
    return FrozenPackage(canonicalize_name(name), version, target, editable=True, line=number)


def _parse_url(line: str, number: int) -> FrozenPackage | str:
    egg = _EGG.search(_fragment(line))
    name = _read_name(line) or (egg[1] if egg else "")
    if not name:
        return "this URL or path does not name its package"
    return FrozenPackage(canonicalize_name(name), _read_version(line), line, _is_folder(line), number)


def _fragment(url: str) -> str:
    return url.partition("#")[2]


def _file_name(url: str) -> str:
    try:
        return unquote(urlsplit(url).path).rpartition("/")[2]
    except ValueError:
        return ""


def _parse_file_name(url: str) -> tuple[str, str]:
    file = _file_name(url)
    try:
        if file.endswith(".whl"):
            name, version = parse_wheel_filename(file)[:2]
            return name, str(version)
        if file.endswith((".tar.gz", ".zip")):
            name, version = parse_sdist_filename(file)
            return name, str(version)
    except (InvalidWheelFilename, InvalidSdistFilename):
        pass
    return "", ""


def _read_name(url: str) -> str:
    return _parse_file_name(url)[0]


def _read_version(url: str) -> str:
    return _parse_file_name(url)[1]


def _is_folder(url: str) -> bool:
    return _scheme(url) == "file" and not _file_name(url).endswith((".whl", ".tar.gz", ".zip"))


def _scheme(url: str) -> str:
    try:
        return urlsplit(url).scheme
    except ValueError:
        return ""


def _normalise(version: str) -> str:
    try:
        return str(Version(version))
    except InvalidVersion:
        return ""
