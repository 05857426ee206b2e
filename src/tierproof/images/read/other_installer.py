"""Programs and functions beside pip, uv and conda that install into the kernel's environment by rules of their own."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from tierproof.guard.commands.shell_script import ProgramCall

# The first operand of each that changes packages; an empty set: any operand does.
_ACTIONS: Mapping[str, frozenset[str]] = {
    "easy_install": frozenset(),
    "mim": frozenset({"install", "uninstall"}),
    "pdm": frozenset({"add", "install", "remove", "sync", "update"}),
    "pip-sync": frozenset(),
    "pipenv": frozenset({"install", "sync", "uninstall", "update"}),
    "pixi": frozenset({"add", "install", "remove", "update"}),
    "poetry": frozenset({"add", "install", "remove", "sync", "update"}),
    "rye": frozenset({"add", "remove", "sync"}),
}
_PYTHON = re.compile(r"python[\d.]*\Z")
# Packages that prepare Colab for another one have a function for it: `scvi_colab.install()`.
_PREPARING = re.compile(r"(?!google\.colab\b)\w*colab\w*(\.\w+)*\.install(_\w+)?\Z")


def find_other_installer(call: ProgramCall) -> str:
    """Return the name of the installer that a shell command runs; empty if it runs none of these."""
    words = list(call.words)
    if _PYTHON.match(_name(words[0])) and "-m" in words[:-1]:
        words = words[words.index("-m") + 1 :]
    name = _name(words[0])
    actions = _ACTIONS.get(name)
    if actions is None or not _changes(words[1:], actions):
        return ""
    return name


def is_preparing(name: str) -> bool:
    """Tell whether a call with this dotted name prepares Colab for a package, which may install others."""
    return _PREPARING.match(name) is not None


def _changes(rest: Sequence[str], actions: frozenset[str]) -> bool:
    operand = next((word for word in rest if not word.startswith("-")), "")
    return operand in actions if actions else bool(operand) or not rest


def _name(word: str) -> str:
    return os.path.basename(word)  # noqa: PTH119 - a word, no file
