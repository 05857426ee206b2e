"""Builds the metadata of a source in a confined process: its code runs, with limits and without the user's secrets."""

from __future__ import annotations

import email.parser
import email.policy
import json
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from packaging.utils import canonicalize_name

from tierproof.core.end_process import end_process
from tierproof.core.hash_file import hash_file
from tierproof.guard.resolve.plan_error import PlanError
from tierproof.guard.resolve.run_uv import run_uv
from tierproof.guard.resolve.uv_config import write_uv_config
from tierproof.guard.resolve.wheel_metadata import WheelMetadata, fetch, parse_metadata
from tierproof.guard.sources import metadata_hooks
from tierproof.guard.sources.metadata_hooks import read_build_system
from tierproof.guard.system.confined_process import run_confined
from tierproof.guard.system.scratch_folder import open_scratch_folder

if TYPE_CHECKING:
    from tierproof.guard.resolve.index_settings import IndexSettings

_LIMIT_S = 180.0
_MEMORY_BYTES = 4 << 30
_LARGEST_BYTES = 500_000_000
_TOO_LARGE = f"the archive unpacks to more than {_LARGEST_BYTES // 1_000_000} MB"
_LINES = 3


class BuildError(PlanError):
    """The metadata of a source could not be built; the message says why."""

    slug = "build-failed"


@dataclass(frozen=True, slots=True)
class BuiltMetadata:
    """What a build told: the normalised name, the version, what it needs, and where a lock says it comes from."""

    name: str
    version: str
    known: WheelMetadata
    place: Mapping[str, Any]


def build_metadata(address: str, settings: IndexSettings, executable: str) -> BuiltMetadata:
    """Build the metadata of a source; what it builds with comes as wheels from the configured indexes.

    Args:
        address: of an archive (http, https, file), a folder (file, or a path), or `git+…`.
        settings: of the indexes.
        executable: the Python to build with.

    Raises:
        BuildError: it cannot be fetched, it does not build, or it took more than 3 minutes or 4 GB.
        PlanError: what it builds with cannot be installed.
    """
    with open_scratch_folder() as folder:
        try:
            project, place = _fetch_source(address, folder / "source", settings.environment)
        except (OSError, ValueError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
            raise BuildError(f"its source cannot be fetched or unpacked ({error})") from error
        requires = read_build_system(project)[0]
        out = folder / "out"
        out.mkdir()
        for _ in range(2):  # the backend may ask for more when it is asked
            _install(requires, folder, settings, executable)
            _call_hooks(folder, project, executable)
            if (out / "METADATA").exists():
                return _read(out / "METADATA", place)
            requires = [*requires, *json.loads((out / "requires.json").read_text(encoding="utf-8"))]
        raise BuildError(
            "its build asked for more build requirements, even after those it had asked for were installed"
        )


def _install(requires: Sequence[str], folder: Path, settings: IndexSettings, executable: str) -> None:
    (folder / "build.in").write_text("".join(f"{line}\n" for line in requires), encoding="utf-8")
    (folder / "libraries").mkdir(exist_ok=True)
    if not requires:
        return
    arguments = ["pip", "install", "--quiet", "--no-python-downloads", "--only-binary", ":all:"]
    arguments += ["--python", executable, "--target", str(folder / "libraries"), "--requirements", "build.in"]
    answer = run_uv(
        [*arguments, *settings.options, *write_uv_config(settings, folder)],
        environment=settings.environment,
        folder=folder,
        limit_s=_LIMIT_S,
        doing="fetched",
    )
    if answer.status != 0:
        raise BuildError(f"its build requirements cannot be installed ({_shorten(answer.words)})")


def _call_hooks(folder: Path, project: Path, executable: str) -> None:
    script = Path(str(metadata_hooks.__file__)).absolute()
    words = [
        executable,
        "-I",
        "-S",
        str(script),
        str(folder / "libraries"),
        str(project),
        str(folder / "out"),
    ]
    answer = run_confined(
        [*words, str(_MEMORY_BYTES), str(int(_LIMIT_S))], folder, limit_s=_LIMIT_S, more={"PYTHONUTF8": "1"}
    )
    if answer.status is None:
        raise BuildError(f"its build took more than {_LIMIT_S:.0f} seconds")
    if answer.status != 0:
        raise BuildError(f"its build failed ({_shorten(answer.words)})")


def _fetch_source(
    address: str, folder: Path, environment: Mapping[str, str]
) -> tuple[Path, Mapping[str, Any]]:
    """Put the source into `folder`; return the project's folder in it, and the table that a lock names it by."""
    if address.startswith("git+"):
        return _clone(address.removeprefix("git+"), folder)
    parts = urlsplit(address)
    if parts.scheme in ("http", "https"):
        url = address.partition("#")[0]
        archive = folder.with_name(unquote(parts.path).rpartition("/")[2] or "source.tar.gz")
        archive.write_bytes(fetch(url, environment))
        named = {"url": url}
    else:
        archive = Path(url2pathname(parts.path) if parts.scheme == "file" else address)
        named = {"path": str(archive)}
    if archive.is_dir():
        return Path(shutil.copytree(archive, folder, symlinks=True)), {"directory": named}
    folder.mkdir()
    if archive.name.endswith(".zip"):
        with zipfile.ZipFile(archive) as bundle:
            if sum(entry.file_size for entry in bundle.infolist()) > _LARGEST_BYTES:
                raise ValueError(_TOO_LARGE)
            bundle.extractall(folder)
    else:
        with tarfile.open(archive) as bundle:
            if sum(entry.size for entry in bundle) > _LARGEST_BYTES:
                raise ValueError(_TOO_LARGE)
            bundle.extractall(folder, filter="data")
    inside = [path for path in folder.iterdir() if path.is_dir()]
    place = {"archive": {**named, "hashes": {"sha256": hash_file(archive)}}}
    return (inside[0] if len(inside) == 1 else folder), place


def _clone(address: str, folder: Path) -> tuple[Path, Mapping[str, Any]]:
    url, _, fragment = address.partition("#")
    head, _, revision = url.rpartition("@")
    if "://" not in head or "/" not in head.partition("://")[2]:  # no revision: that was a user's name
        head, revision = url, ""
    _run_git("clone", "--quiet", "--filter=blob:none", head, str(folder))
    if revision:
        _run_git("-C", str(folder), "checkout", "--quiet", revision)
    commit = _run_git("-C", str(folder), "rev-parse", "HEAD").strip()
    inside = next((part[13:] for part in fragment.split("&") if part.startswith("subdirectory=")), "")
    place = {"type": "git", "url": head, "commit-id": commit}
    return folder / inside, {"vcs": {**place, "subdirectory": inside} if inside else place}


def _run_git(*words: str) -> str:
    process = subprocess.Popen(
        ["git", *words],
        env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, words_ = process.communicate(timeout=_LIMIT_S)
    except subprocess.TimeoutExpired as error:
        end_process(process)
        raise OSError(f"git took more than {_LIMIT_S:.0f} seconds") from error
    except BaseException:
        end_process(process)
        raise
    if process.returncode != 0:
        raise OSError(_shorten(words_))
    return output


def _read(path: Path, place: Mapping[str, Any]) -> BuiltMetadata:
    text = path.read_text(encoding="utf-8", errors="replace")
    message = email.parser.Parser(policy=email.policy.compat32).parsestr(text, headersonly=True)
    return BuiltMetadata(
        canonicalize_name(str(message.get("Name") or "")),
        str(message.get("Version") or ""),
        parse_metadata(text),
        place,
    )


def _shorten(words: str) -> str:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return " ".join(lines[-_LINES:])[-300:] or "without a message"
