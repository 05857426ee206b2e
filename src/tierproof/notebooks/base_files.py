"""Hash the installed files of an interpreter, before and after a run, to see whether the run changed any.

It is also run as a script by the interpreter that is asked, which may have no tierproof: only the standard
library is used.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_LIMIT_S = 300.0


@dataclass(frozen=True)
class BaseFiles:
    """What lies in the site directory of an interpreter, bytecode aside.

    Attributes:
        distributions: version by name.
        hashes: SHA-256 by path, relative to the site directory.
        marks: size, inode and times by path: where these stay, the content stays, and is not hashed again.
    """

    distributions: Mapping[str, str] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)

    def find_changes(self, after: BaseFiles) -> tuple[str, ...]:
        """Name what is missing or different; additions do not count."""
        changed = [
            f"{name} {version} is now {after.distributions.get(name, 'gone')}"
            for name, version in self.distributions.items()
            if after.distributions.get(name) != version
        ]
        changed += [
            f"{path} {'changed' if path in after.hashes else 'is gone'}"
            for path, digest in self.hashes.items()
            if after.hashes.get(path) != digest
        ]
        return tuple(changed)

    def list_added(self, after: BaseFiles) -> tuple[str, ...]:
        """Name the distributions that were added."""
        return tuple(
            f"{name} {version}"
            for name, version in after.distributions.items()
            if name not in self.distributions
        )


def read_base_files(python: str, before: BaseFiles | None = None) -> BaseFiles:
    """Read them from the interpreter `python`; of files that are as they were `before`, the hash is taken from there.

    Raises:
        OSError, subprocess.SubprocessError: it cannot be run.
    """
    known = (
        {} if before is None else {path: [mark, before.hashes[path]] for path, mark in before.marks.items()}
    )
    told = subprocess.run(
        [python, "-I", __file__],
        input=json.dumps(known),
        capture_output=True,
        text=True,
        check=True,
        timeout=_LIMIT_S,
    )
    return BaseFiles(**json.loads(told.stdout))


def _read_own(known: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
    root = sysconfig.get_path("purelib")
    hashes, marks = {}, {}
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name != "__pycache__"]
        for file in files:
            path = Path(folder, file)
            if path.suffix == ".pyc":
                continue
            place = path.relative_to(root).as_posix()
            marks[place] = _mark(path)
            mark, digest = known.get(place, ("", ""))
            hashes[place] = digest if mark == marks[place] else _hash(path)
    distributions = {
        str(each.metadata["Name"]): each.version for each in importlib.metadata.distributions(path=[root])
    }
    return {"distributions": distributions, "hashes": hashes, "marks": marks}


def _mark(path: Path) -> str:
    seen = path.stat()
    return f"{seen.st_size} {seen.st_ino} {seen.st_mtime_ns} {seen.st_ctime_ns}"


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


if __name__ == "__main__":
    json.dump(_read_own(json.load(sys.stdin)), sys.stdout)
