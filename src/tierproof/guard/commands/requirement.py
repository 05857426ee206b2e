"""One requested requirement as typed, parsed into its parts."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as ParsedRequirement
from packaging.specifiers import SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from tierproof.errors import UsageError
from tierproof.guard.commands.parse_toml import parse_toml

_ARCHIVES = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tgz")
_SINGLE_EQUALS = re.compile(r"\A\s*([A-Za-z0-9][\w.-]*)\s*=\s*([\w.*]+)\s*\Z")
_SPACED = re.compile(r"\A\s*([A-Za-z0-9][\w.-]*)\s+v?(\d[\w.]*)\s*\Z")


class Source(StrEnum):
    """Where a requirement comes from."""

    INDEX = "index"
    WHEEL = "wheel"
    BUILD = "build"


@dataclass(frozen=True, slots=True)
class RequestedPackage:
    """One requirement.

    Attributes:
        text: as typed, without white space around it.
        line: as uv reads it; local paths are absolute.
        name: normalised, or empty where only a build can tell.
        extras: normalised, sorted.
        specifier: the versions allowed; empty for a URL.
        marker: the environment marker, or empty.
        source: a package index, a wheel at a URL or path, or something that must be built.
    """

    text: str
    line: str
    name: str
    extras: tuple[str, ...] = ()
    specifier: str = ""
    marker: str = ""
    source: Source = Source.INDEX

    def allows(self, version: str) -> bool:
        """Tell whether `version` satisfies the specifier; an installed pre-release does."""
        return SpecifierSet(self.specifier).contains(version, prereleases=True)

    def applies(self, markers: Mapping[str, str]) -> bool:
        """Tell whether the marker holds for an interpreter."""
        from packaging.markers import Marker

        return not self.marker or Marker(self.marker).evaluate({**markers, "extra": ""})


def parse_requirements(texts: Sequence[str], *, folder: Path | None = None) -> tuple[RequestedPackage, ...]:
    """Parse requirements as typed.

    Args:
        texts: requirements: `name[extra]>=1; marker`, `name @ URL`, a URL, `git+…`, or a local path.
        folder: what relative paths are relative to; the current folder by default.

    Raises:
        UsageError: the list is empty, or a requirement is not valid; the message names it and a correction.
    """
    found = [parse_requirement(text, folder=folder) for text in texts]
    if not found:
        raise UsageError(
            "no requirement was given",
            hint="Name at least one package, for example: tierproof plan captum 'optuna>=4'",
        )
    return tuple(found)


def parse_requirement(text: str, *, folder: Path | None = None) -> RequestedPackage:
    """Parse one requirement.

    Raises:
        UsageError: the requirement is not valid.
    """
    text = text.strip()
    _refuse_what_is_none(text)
    if _looks_like_url(text):
        return _parse_url(text)
    if _looks_like_path(text):
        return _parse_path(text, folder or Path.cwd())
    try:
        parsed = ParsedRequirement(text)
    except InvalidRequirement as error:
        raise UsageError(
            f"cannot read the requirement {text!r}: {_first_line(error)}", hint=_guess(text)
        ) from error
    marker = str(parsed.marker) if parsed.marker else ""
    extras = tuple(sorted(canonicalize_name(extra) for extra in parsed.extras))
    source = Source.INDEX if parsed.url is None else _find_source(parsed.url)
    line = str(parsed)
    return RequestedPackage(
        text, line, canonicalize_name(parsed.name), extras, str(parsed.specifier), marker, source
    )


def _refuse_what_is_none(text: str) -> None:
    if not text or "\n" in text or "\r" in text or "\0" in text:
        raise UsageError(f"cannot read the requirement {text!r}", hint="Write one package per requirement.")
    if text.startswith("-"):
        raise UsageError(
            f"{text!r} is an option, not a requirement",
            hint="Pass package names only: pip options (-r, -e, --upgrade, --index-url) are not accepted here.",
        )
    if text.startswith("#"):
        raise UsageError(
            f"{text!r} is a comment, not a requirement", hint="Remove the # and what follows it."
        )


def _looks_like_url(text: str) -> bool:
    return re.match(r"(git\+|https?://|file:)", text) is not None


def _looks_like_path(text: str) -> bool:
    if "://" in text or " @ " in text:
        return False
    return text.startswith((".", "/", "~")) or text.endswith(_ARCHIVES)


def _parse_url(text: str) -> RequestedPackage:
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise UsageError(
            f"cannot read the URL {text!r}: {error}",
            hint="Write the full URL, for example git+https://github.com/owner/repo",
        ) from error
    if not (parts.netloc or parts.path.startswith("/")):
        raise UsageError(
            f"the URL {text!r} has no host",
            hint="Write the full URL, for example git+https://github.com/owner/repo",
        )
    source = _find_source(text)
    name = _name_of_wheel(unquote(parts.path)) if source is Source.WHEEL else ""
    egg = re.search(r"(?:\A|&)egg=([A-Za-z0-9][\w.-]*)", parts.fragment)
    if not name and egg:
        name = canonicalize_name(egg[1])
    line = f"{name} @ {text.partition('#')[0]}" if name else text
    return RequestedPackage(text, line, name, source=source)


def _parse_path(text: str, folder: Path) -> RequestedPackage:
    base, bracket, extras = text.partition("[")
    try:
        path = (folder / os.path.expanduser(base)).resolve()  # noqa: PTH111 - Path's own raises for an unknown user
        present = path.exists()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot read the path {base!r}: {error}",
            hint="Pass the path of a wheel, a source archive or a project folder.",
        ) from error
    if not present:
        raise UsageError(
            f"{path} does not exist", hint="Pass the path of a wheel, a source archive or a project folder."
        )
    if path.is_dir() and not any((path / name).is_file() for name in ("pyproject.toml", "setup.py")):
        raise UsageError(
            f"{path} is not a project folder: it contains neither pyproject.toml nor setup.py",
            hint="Pass the folder that contains one of these files.",
        )
    if path.is_file() and not path.name.endswith(_ARCHIVES):
        raise UsageError(
            f"{path} is neither a wheel nor a source archive",
            hint=f"Name a file that ends with {', '.join(_ARCHIVES)}. For a file of requirements, pass `-r {path}`.",
        )
    source = Source.WHEEL if path.is_file() and path.suffix == ".whl" else Source.BUILD
    name = _name_of_wheel(path.name) if source is Source.WHEEL else _name_of_project(path)
    chosen = bracket + extras
    line = f"{name}{chosen} @ {path.as_uri()}" if name else f"{path}{chosen}"
    named = tuple(
        sorted(canonicalize_name(item.strip()) for item in extras.rstrip("]").split(",") if item.strip())
    )
    return RequestedPackage(text, line, name, extras=named, source=source)


def _find_source(url: str) -> Source:
    return (
        Source.WHEEL if urlsplit(url).path.endswith(".whl") and not url.startswith("git+") else Source.BUILD
    )


def _name_of_wheel(path: str) -> str:
    file = path.rpartition("/")[2]
    try:
        return parse_wheel_filename(file)[0]
    except InvalidWheelFilename as error:
        raise UsageError(
            f"{file!r} is not a valid wheel file name: {error}",
            hint="Use the name that the wheel was built with, such as captum-0.8.0-py3-none-any.whl",
        ) from error


def _name_of_project(path: Path) -> str:
    """Return the name that pyproject.toml declares, or nothing where only a build can tell."""
    try:
        project = parse_toml((path / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return ""
    name = project.get("name") if isinstance(project, dict) else None
    return canonicalize_name(name) if isinstance(name, str) else ""


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _guess(text: str) -> str:
    if match := _SINGLE_EQUALS.match(text) or _SPACED.match(text):
        return f"Write {match[1]}=={match[2]}."
    return "Write it like one of these: captum, 'optuna>=4', 'ray[tune]', ./package.whl"
