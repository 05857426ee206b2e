"""The public repository in which Google publishes what Colab's images hold: googlecolab/backend-info.

Its head holds a freeze list for each hardware and what `lsb_release` and `python --version` print; its README
names the runtimes that a notebook can be pinned to, each by a commit; the history holds all that were before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from tierproof.errors import UsageError
from tierproof.images.git_repository import GitRepository
from tierproof.images.indexed_source import fetch_text
from tierproof.images.remote_image import RemoteImage

REPOSITORY = "https://github.com/googlecolab/backend-info"
RAW = "https://raw.githubusercontent.com/googlecolab/backend-info"
# Names of both files by hardware; how they are joined has varied.
_FILES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "cpu": (("pip-freeze.txt",), ("os-info.txt",)),
    "gpu": (("pip-freeze.gpu.txt", "pip-freeze-gpu.txt"), ("os-info-gpu.txt", "os-info.gpu.txt")),
    "tpu": (("pip-freeze.tpu.txt", "pip-freeze-tpu.txt"), ("os-info-tpu.txt", "os-info.tpu.txt")),
}
_PINNED = re.compile(r"^#+\s*(\d{4}\.\d{2})\s*$(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL)
_COMMIT = re.compile(r"/(?:tree|commit)/([0-9a-f]{40})")
_PYTHON = re.compile(r"^\W*Python (\d+\.\d+\.\d+)", re.MULTILINE)
_SYSTEM = re.compile(r"^\W*((?:Ubuntu|Debian)[^\n]*\d[^\n]*?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PinnedRuntime:
    """A runtime that the README names."""

    name: str
    commit: str
    python: str
    os: str


def parse_pinned(readme: str) -> tuple[PinnedRuntime, ...]:
    """Read the runtimes out of the README; one without a commit is left out."""
    found = []
    for match in _PINNED.finditer(readme):
        commit = _COMMIT.search(match[2])
        if commit:
            found.append(PinnedRuntime(f"colab:{match[1]}", commit[1], *read_facts(match[2])))
    return tuple(found)


def read_facts(text: str) -> tuple[str, str]:
    """Give Python's version and the system's name out of an `os-info` file; empty where it tells none."""
    python, system = _PYTHON.search(text), _SYSTEM.search(text)
    return python[1] if python else "", system[1] if system else ""


def list_history(repository: GitRepository) -> tuple[RemoteImage, ...]:
    """List the pinned runtimes, and the last image of each month.

    Raises:
        PlanError: git cannot read the repository.
        UsageError: it is laid out otherwise.
    """
    repository.update()
    files = repository.list_files()
    if not any(name in files for name in _FILES["cpu"][0]):
        raise UsageError(
            "the repository holds no pip-freeze.txt", hint="It must be laid out as googlecolab/backend-info."
        )
    readme = repository.read("HEAD", "README.md") if "README.md" in files else ""
    found = [
        _describe(
            repository,
            runtime.name,
            hardware,
            runtime.commit,
            repository.find_day(runtime.commit),
            pinned=True,
        )
        for runtime in parse_pinned(readme)
        for hardware in _FILES
    ]
    for hardware, (names, _) in _FILES.items():
        commits = [each for name in names for each in reversed(repository.list_commits(name))]
        latest = {day[:7]: (commit, day) for commit, day in sorted(commits, key=lambda each: each[1])}
        found += [
            _describe(repository, f"colab:{month}", hardware, commit, day, pinned=False)
            for month, (commit, day) in latest.items()
        ]
    return tuple(each for each in found if each is not None)


def _describe(
    repository: GitRepository, name: str, hardware: str, commit: str, day: str, *, pinned: bool
) -> RemoteImage | None:
    files = repository.list_files(commit)
    lists, facts = _FILES[hardware]
    file = next((each for each in lists if each in files), None)
    if file is None:
        return None
    told = next((each for each in facts if each in files), None)
    entry: dict[str, object] = {
        "image": name,
        "hardware": hardware,
        "date": day,
        "commit": commit,
        "pinned": pinned,
    }

    def fetch() -> str:
        python, system = read_facts(repository.read(commit, told)) if told else ("", "")
        entry.update({"python": python or None, "os": system or None})
        return repository.read(commit, file)

    return RemoteImage(entry, fetch)


def list_head(base: str, environment: Mapping[str, str]) -> tuple[RemoteImage, ...]:
    """List what can be had without git: the head's images and the pinned ones, from raw files.

    Args:
        base: URL below which `COMMIT/FILE` lies.
        environment: its SSL_CERT_FILE is honoured.

    Raises:
        OSError: the README cannot be reached.
    """
    root = base.rstrip("/")
    runtimes = parse_pinned(fetch_text(f"{root}/main/README.md", environment))
    found = []
    for runtime in runtimes:
        for hardware, (names, _) in _FILES.items():
            entry: dict[str, object] = {
                "image": runtime.name,
                "hardware": hardware,
                "commit": runtime.commit,
                "pinned": True,
                "python": runtime.python or None,
                "os": runtime.os or None,
                "optional": hardware != "cpu",
            }
            urls = [f"{root}/{runtime.commit}/{name}" for name in names]
            found.append(RemoteImage(entry, partial(_fetch_first, urls, environment)))
    return tuple(found)


def _fetch_first(urls: list[str], environment: Mapping[str, str]) -> str:
    for url in urls[:-1]:
        try:
            return fetch_text(url, environment)
        except OSError:
            continue
    return fetch_text(urls[-1], environment)
