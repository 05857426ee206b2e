"""Which files an index has for a name: its page of the simple API, as JSON (PEP 691) or HTML (PEP 503)."""

from __future__ import annotations

import contextlib
import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import url2pathname

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from tierproof.guard.resolve.index_settings import IndexSettings
from tierproof.guard.resolve.wheel_metadata import fetch

_JSON = "application/vnd.pypi.simple.v1+json"
_ACCEPT = f"{_JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_ANCHOR = re.compile(r"""<a\s((?:[^>"']|"[^"]*"|'[^']*')*)>""", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")


@dataclass(frozen=True, slots=True)
class IndexFile:
    """A wheel or a source archive.

    Attributes:
        name: of the file.
        version: of the release.
        is_wheel: False for a source archive.
        requires_python: as the index gives it; empty for any Python.
    """

    name: str
    version: Version
    is_wheel: bool
    requires_python: str = ""

    def takes(self, python: str) -> bool:
        """Tell whether it may be installed on a Python of that full version; a bound that cannot be read allows it."""
        try:
            return SpecifierSet(self.requires_python).contains(python, prereleases=True)
        except InvalidSpecifier:
            return True


def read_index_pages(name: str, settings: IndexSettings) -> tuple[IndexFile, ...]:
    """Return the files of `name` (normalised) on all indexes and links; one that cannot be asked gives none."""
    found: list[IndexFile] = []
    for index in settings.index_urls:
        with contextlib.suppress(OSError, ValueError):
            found += _read_page(f"{index.rstrip('/')}/{name}/", settings.environment)
    for link in settings.find_links:
        with contextlib.suppress(OSError, ValueError):
            found += [file for file in _read_links(link, settings.environment) if _owns(name, file)]
    return tuple(found)


def _read_links(link: str, environment: Mapping[str, str]) -> list[IndexFile]:
    """Read a folder of files, or a page of links to them."""
    parts = urlsplit(link)
    if parts.scheme in ("http", "https"):
        return list(_read_html(fetch(link, environment).decode("utf-8", "replace"), link))
    path = Path(url2pathname(parts.path)) if parts.scheme else Path(link).expanduser()
    if path.is_dir():
        return [file for entry in path.iterdir() for file in _make(entry.name, "")]
    return list(_read_html(path.read_text(encoding="utf-8", errors="replace"), link))


def _owns(name: str, file: IndexFile) -> bool:
    stem = file.name.rpartition("-")[0] if not file.is_wheel else file.name.partition("-")[0]
    return canonicalize_name(stem) == name


def _read_page(url: str, environment: Mapping[str, str]) -> list[IndexFile]:
    parts = urlsplit(url)
    if parts.scheme in ("", "file"):
        path = Path(url2pathname(parts.path)) / "index.html"
        return list(_read_html(path.read_text(encoding="utf-8", errors="replace"), url))
    text = fetch(url, environment, accept=_ACCEPT).decode("utf-8", "replace")
    if text.lstrip().startswith("{"):
        return list(_read_json(_parse(text)))
    return list(_read_html(text, url))


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("the page is nested too deeply") from error


def _read_json(document: Mapping[str, Any]) -> Iterator[IndexFile]:
    files = document.get("files")
    for entry in files if isinstance(files, list) else ():
        if isinstance(entry, dict) and not entry.get("yanked"):
            yield from _make(str(entry.get("filename", "")), str(entry.get("requires-python") or ""))


def _read_html(text: str, url: str) -> Iterator[IndexFile]:
    for match in _ANCHOR.finditer(text):
        given = {
            name.lower(): html.unescape(double or single)
            for name, double, single in _ATTRIBUTE.findall(match[1])
        }
        if "data-yanked" not in given:
            path = urlsplit(urljoin(url, given.get("href", ""))).path
            yield from _make(unquote(path).rpartition("/")[2], given.get("data-requires-python", ""))


def _make(file: str, requires_python: str) -> Iterator[IndexFile]:
    try:
        if file.endswith(".whl"):
            yield IndexFile(file, parse_wheel_filename(file)[1], True, requires_python)
        elif file.endswith((".tar.gz", ".zip")):
            yield IndexFile(file, parse_sdist_filename(file)[1], False, requires_python)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return


def list_excluding(files: tuple[IndexFile, ...], python: str) -> dict[Version, str]:
    """Return the releases of which no file takes a Python, each with the bound that excludes it."""
    bounds: dict[Version, str] = {}
    taking = {file.version for file in files if file.takes(python)}
    for file in files:
        if file.version not in taking:
            bounds[file.version] = file.requires_python
    return bounds
