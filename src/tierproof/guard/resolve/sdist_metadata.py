"""What a source archive or a project folder declares that it needs, read without building it."""

from __future__ import annotations

import contextlib
import email.message
import email.parser
import email.policy
import io
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from tierproof.guard.commands.parse_toml import parse_toml
from tierproof.guard.resolve.wheel_metadata import fetch

_LARGEST_BYTES = 60_000_000
_LARGEST_TEXT_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class DeclaredProject:
    """What a project declares without being built.

    Attributes:
        name: normalised; empty where only a build tells.
        version: empty where only a build tells.
        requires: Requires-Dist lines.
        requires_python: empty for any Python.
        is_static: a build may give no other requirements (PEP 621, and metadata 2.2 and later).
        place: the table of a lock that names it, of a folder; else empty.
    """

    name: str
    version: str
    requires: tuple[str, ...]
    requires_python: str = ""
    is_static: bool = False
    place: Mapping[str, Any] = field(default_factory=dict, compare=False)


def read_sdist_requires(url: str, bytes_: int, environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """Give the Requires-Dist lines of the archive at `url`, or None if it cannot be read; see `read_sdist`."""
    found = read_sdist(url, bytes_, environment)
    return None if found is None else found.requires


def read_sdist(url: str, bytes_: int, environment: Mapping[str, str]) -> DeclaredProject | None:
    """Give what the archive at `url` declares, or None if it cannot be read.

    Its PKG-INFO where that lists requirements, else PEP 621's table, else the `requires.txt` that setuptools left.

    Args:
        url: http, https or file.
        bytes_: its size; one over 60 MB is not fetched.
        environment: its SSL_CERT_FILE is honoured.
    """
    if bytes_ > _LARGEST_BYTES:
        return None
    try:
        texts = dict(_iterate_texts(urlsplit(url).path, fetch(url, environment)))
    except (OSError, ValueError, EOFError, tarfile.TarError, zipfile.BadZipFile):
        return None
    return _combine(texts)


def read_project_folder(folder: Path) -> DeclaredProject | None:
    """Give what a project folder declares, or None if only a build tells."""
    texts = {}
    for name in ("PKG-INFO", "pyproject.toml"):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            texts[name] = (folder / name).read_text(encoding="utf-8")
    found = _combine(texts)
    return None if found is None else replace(found, place={"directory": {"path": str(folder)}})


def _combine(texts: Mapping[str, str]) -> DeclaredProject | None:
    project = _read_pyproject(texts.get("pyproject.toml", ""))
    metadata = texts.get("PKG-INFO")
    if metadata is None:
        return project
    message = email.parser.Parser(policy=email.policy.compat32).parsestr(metadata, headersonly=True)
    lines = tuple(str(line) for line in message.get_all("Requires-Dist", []))
    is_static = _is_settled(message) or project is not None
    if not lines and project is not None:
        lines = project.requires
    return DeclaredProject(
        canonicalize_name(str(message.get("Name") or "")),
        str(message.get("Version") or ""),
        lines or tuple(parse_requires_txt(texts.get("requires.txt", ""))),
        str(message.get("Requires-Python") or (project.requires_python if project else "")).strip(),
        is_static,
    )


def _is_settled(message: email.message.Message) -> bool:
    """Tell whether a PKG-INFO promises that the requirements of every wheel are its own (PEP 643)."""
    try:
        version = tuple(int(part) for part in str(message.get("Metadata-Version") or "").split("."))
    except ValueError:
        return False
    dynamic = {str(name).strip().lower() for name in message.get_all("Dynamic", [])}
    return version >= (2, 2) and not dynamic & {"requires-dist", "provides-extra"}


def _read_pyproject(text: str) -> DeclaredProject | None:
    """Read PEP 621's table; None where there is none, or where it leaves the dependencies to the build."""
    try:
        project = parse_toml(text).get("project")
    except tomllib.TOMLDecodeError:
        return None
    if not isinstance(project, dict) or not isinstance(project.get("name"), str):
        return None
    if "dependencies" in _as_list(project.get("dynamic")):
        return None
    lines = [str(line) for line in _as_list(project.get("dependencies"))]
    optional = project.get("optional-dependencies", {})
    for extra, more in optional.items() if isinstance(optional, dict) else ():
        lines += [_join_marker(str(line), f'extra == "{extra}"') for line in _as_list(more)]
    version = project.get("version")
    return DeclaredProject(
        canonicalize_name(project["name"]),
        version if isinstance(version, str) else "",
        tuple(lines),
        str(project.get("requires-python") or ""),
        is_static=True,
    )


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _join_marker(line: str, marker: str) -> str:
    requirement, _, given = line.partition(";")
    return f"{requirement.strip()}; ({given.strip()}) and {marker}" if given else f"{line}; {marker}"


def parse_requires_txt(text: str) -> Iterator[str]:
    """Yield the lines of an egg-info's `requires.txt` as Requires-Dist; its sections are `[extra:marker]`."""
    suffix = ""
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            extra, _, marker = line[1:-1].partition(":")
            parts = [f"({marker})"] if marker else []
            parts += [f'extra == "{extra}"'] if extra else []
            suffix = f"; {' and '.join(parts)}" if parts else ""
        else:
            yield f"{line}{' ' if suffix and ' @ ' in line else ''}{suffix}"


def _iterate_texts(path: str, content: bytes) -> Iterator[tuple[str, str]]:
    """Yield the archive's own PKG-INFO and pyproject.toml, and its egg-info's requires.txt."""
    if path.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                if (name := _choose(entry.filename)) and entry.file_size <= _LARGEST_TEXT_BYTES:
                    yield name, archive.read(entry).decode("utf-8", "replace")
        return
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:*") as bundle:
        for member in bundle:
            name = _choose(member.name)
            if name and member.isfile() and member.size <= _LARGEST_TEXT_BYTES:
                stream = bundle.extractfile(member)
                if stream is not None:
                    yield name, stream.read().decode("utf-8", "replace")


def _choose(path: str) -> str:
    parts = path.strip("/").split("/")
    if len(parts) == 2 and parts[1] in ("PKG-INFO", "pyproject.toml"):
        return parts[1]
    if parts[-1] == "requires.txt" and len(parts) >= 3 and parts[-2].endswith(".egg-info"):
        return "requires.txt"
    return ""
