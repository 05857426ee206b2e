"""Keeps the addresses of indexes, and the passwords in them, off uv's command line, which every user can read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

_HAS_SCHEME = re.compile(r"\A[A-Za-z][A-Za-z0-9+.-]+:")
# What uv reads each option from, and what it splits that variable at.
_VARIABLES = {
    "--default-index": ("UV_DEFAULT_INDEX", " "),
    "--index-url": ("UV_INDEX_URL", " "),
    "--index": ("UV_INDEX", " "),
    "--extra-index-url": ("UV_EXTRA_INDEX_URL", " "),
    "--find-links": ("UV_FIND_LINKS", ","),
}


def hide_arguments(
    arguments: Sequence[str], environment: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """Hand the addresses among uv's arguments over by its environment, which only this user can read.

    As on the command line, an option replaces the variable of its name. Only the folders and pages of
    `--find-links` are added to those of the variable: they are looked into besides.

    Returns:
        the other arguments, and the environment.
    """
    left: list[str] = []
    found: dict[str, list[str]] = {}
    words = iter(arguments)
    for word in words:
        option, equals, value = word.partition("=")
        if option in _VARIABLES:
            found.setdefault(option, []).append(value if equals else next(words, ""))
        else:
            left.append(word)
    changed = dict(environment)
    for option, values in found.items():
        variable, separator = _VARIABLES[option]
        if option == "--find-links":
            values += [each for each in changed.get(variable, "").split(separator) if each]
        changed[variable] = separator.join(dict.fromkeys(_spell(each, separator) for each in values))
    return left, changed


def _spell(address: str, separator: str) -> str:
    """Spell an address so that it holds no separator, a local path as a `file:` URL."""
    name, equals, rest = address.partition("=")
    if separator == " " and equals and re.fullmatch(r"[\w.-]+", name):  # `name=URL`
        return f"{name}={_spell(rest, separator)}"
    if not _HAS_SCHEME.match(address):
        address = Path(address).absolute().as_uri()
    return "".join(quote(each) if each == separator or each.isspace() else each for each in address)
