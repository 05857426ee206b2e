"""Read a TOML file of the user's."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from tierproof.errors import UsageError
from tierproof.guard.commands.parse_toml import parse_toml


def read_toml(path: Path) -> dict[str, Any]:
    """Read `path`.

    Raises:
        UsageError: it cannot be read, or is no TOML.
    """
    try:
        return parse_toml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror or error}",
            hint="Check that this file exists and that you may read it.",
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            f"{path} is not valid TOML: {error}", hint="Correct that place; the file must be UTF-8."
        ) from error
