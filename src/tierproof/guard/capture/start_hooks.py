"""Modules that every process of an environment imports at its start, because a `.pth` file says so.

Such a module is complete in itself (setuptools' `_distutils_hack`): that it is loaded does not mean that its
distribution is in use.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import lru_cache

_IMPORT = re.compile(
    r"""(?:^|;|:)\s*(?:import|from)\s+([\w.]+(?:\s*,\s*[\w.]+)*)|__import__\(\s*['"]([\w.]+)['"]""",
    re.MULTILINE,
)


def find_start_hooks(roots: Iterable[object]) -> frozenset[str]:
    """Return the top-level names that the `.pth` files in `roots` import, less those of the standard library.

    Args:
        roots: path entries; what is no text or no folder is left out.
    """
    found: set[str] = set()
    for root in dict.fromkeys(each for each in roots if isinstance(each, str)):
        try:
            names = [name for name in os.listdir(root or ".") if name.endswith(".pth")]  # noqa: PTH208 - names alone
        except OSError:
            continue
        for name in names:
            found |= _read(os.path.join(root, name))  # noqa: PTH118
    return frozenset(found)


@lru_cache(maxsize=256)
def _read(path: str) -> frozenset[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:  # noqa: PTH123
            text = stream.read(1 << 16)
    except OSError:
        return frozenset()
    lines = "\n".join(line for line in text.splitlines() if line.startswith(("import ", "import\t")))
    told = [name for match in _IMPORT.finditer(lines) for name in (match[1] or match[2]).split(",")]
    return frozenset(name.strip().partition(".")[0] for name in told)
