"""Read a TOML file of the user's."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from tierproof.errors import UsageError


def read_toml(path: Path) -> dict[str, Any]:
    """Read `path`.

    Raises:
        UsageError: it cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from error
