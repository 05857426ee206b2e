"""The packages of an image's list: version by name, read from the lines of `pip freeze`."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)\s*\Z")
_PLACED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*@\s*(\S+)")
_IN_FILE_NAME = re.compile(r"-(\d[A-Za-z0-9.+!]*?)(?:-|\.tar\.gz)")
UNKNOWN = "0"


def read_image_list(path: Path) -> dict[str, str]:
    """Read a list; a package from a repository has the version `0`."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if pinned := _PINNED.match(line):
            found[pinned[1]] = pinned[2]
        elif placed := _PLACED.match(line):
            version = _IN_FILE_NAME.search(unquote(placed[2].partition("#")[0].rpartition("/")[2]))
            found[placed[1]] = version[1] if version else UNKNOWN
    return found
