"""Parses TOML that anyone may have written: what is nested too deeply is an error of the text, as a wrong sign is."""

from __future__ import annotations

import tomllib
from typing import Any


class TooDeepTomlError(tomllib.TOMLDecodeError):
    """The values are nested deeper than the parser can follow."""

    def __init__(self) -> None:
        ValueError.__init__(self, "its values are nested too deeply")


def parse_toml(text: str) -> dict[str, Any]:
    """Parse a TOML document.

    Raises:
        tomllib.TOMLDecodeError: it is not valid, or nested too deeply.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise TooDeepTomlError from None
