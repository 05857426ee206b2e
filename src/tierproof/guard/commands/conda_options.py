"""Which options of conda and mamba take a value."""

from __future__ import annotations

from collections.abc import Sequence

from tierproof.guard.commands.pip_options import ReadOptions

_SHORT = {"c": "channel", "n": "name", "p": "prefix", "f": "file"}
_VALUED_NAMES = """
    channel name prefix file repodata-fn revision subdir platform solver experimental download-threads
    channel-priority console root-prefix rc-file category
"""
_VALUED = frozenset(_VALUED_NAMES.split())


def read_conda_options(words: Sequence[str]) -> ReadOptions:
    """Separate options from operands, as `read_options` does for pip."""
    options: list[tuple[str, str]] = []
    operands: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if not word.startswith("-") or word == "-":
            operands.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if not word.startswith("--"):
            at = next((at for at, letter in enumerate(name) if letter in _SHORT), 0)  # `-yc CHANNEL`
            name, value = _SHORT.get(name[at : at + 1], name), name[at + 1 :] + equals + value
        if name in _VALUED and not value and queue:
            value = queue.pop(0)
        options.append((name, value))
    return ReadOptions(tuple(options), tuple(operands))
