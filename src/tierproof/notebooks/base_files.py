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
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_LIMIT_S = 300.0


@dataclass(frozen=True)
class BaseFiles:
    """What lies in the site directory of an interpreter, bytecode aside.

    Attributes:
        distributions: version by name.
        hashes: SHA-256 by path, relative to the site directory.
    """

    distributions: Mapping[str, str] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)

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


def read_base_files(python: str) -> BaseFiles:
    """Read them from the interpreter `python`.

    Raises:
        OSError, subprocess.SubprocessError: it cannot be run.
    """
    told = subprocess.run(
        [python, "-I", __file__], capture_output=True, text=True, check=True, timeout=_LIMIT_S
    )
    document = json.loads(told.stdout)
    return BaseFiles(document["distributions"], document["hashes"])


def _read_own() -> dict[str, dict[str, str]]:
    root = sysconfig.get_path("purelib")
    hashes = {}
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name != "__pycache__"]
        for file in files:
            path = Path(folder, file)
            if path.suffix != ".pyc":
                hashes[path.relative_to(root).as_posix()] = _hash(path)
    distributions = {
        str(each.metadata["Name"]): each.version for each in importlib.metadata.distributions(path=[root])
    }
    return {"distributions": distributions, "hashes": hashes}


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


if __name__ == "__main__":
    json.dump(_read_own(), sys.stdout)
