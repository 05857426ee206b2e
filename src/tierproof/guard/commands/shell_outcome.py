"""Whether a command of a script is known to succeed, to fail, or neither: what decides about `&&`, `||` and `if`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from enum import Enum, auto


class ShellOutcome(Enum):
    """How a command ends, as far as its words tell."""

    SUCCEEDS = auto()  # `true`, `echo`
    FAILS = auto()  # `false`
    LIKELY = auto()  # it does something, and scripts count on it: `cd`, `apt-get install`
    OPEN = auto()  # it asks something: `[ -d x ]`, `command -v`, `python -c "import x"`

    def negate(self) -> ShellOutcome:
        """The outcome behind `!`."""
        pairs = {ShellOutcome.SUCCEEDS: ShellOutcome.FAILS, ShellOutcome.FAILS: ShellOutcome.SUCCEEDS}
        return pairs.get(self, ShellOutcome.OPEN)


_SUCCEEDING_NAMES = "true : echo printf export set unset alias shopt umask local declare readonly trap shift"
_SUCCEEDING = frozenset(_SUCCEEDING_NAMES.split())
_ASKING_NAMES = """
    [ [[ test command which type hash whereis grep egrep fgrep rg diff cmp pgrep pidof ls stat read expr let find
    nvidia-smi lsmod lspci dpkg-query rpm ping nc getent id groups mountpoint timeout wait jq
"""
_ASKING = frozenset(_ASKING_NAMES.split())
_PYTHON = re.compile(r"(python|pypy)[\d.]*\Z")
_PIP = re.compile(r"pip[\d.]*\Z")
_ASKING_VERBS = {
    "pip": ("show", "check", "list", "freeze", "index"),
    "git": ("rev-parse", "diff", "status", "describe"),
}


def tell_outcome(words: Sequence[str]) -> ShellOutcome:
    """Tell how a program ends, by its words with what precedes it (`sudo`, `env`) taken off."""
    if not words:
        return ShellOutcome.SUCCEEDS
    name, rest = os.path.basename(words[0]), list(words[1:])  # noqa: PTH119 - a word, no file
    if name == "false":
        return ShellOutcome.FAILS
    if name in _SUCCEEDING:
        return ShellOutcome.SUCCEEDS
    if name in ("[", "test", "[["):
        return _evaluate(rest)
    if _PYTHON.match(name):
        if rest[:2] == ["-m", "pip"]:
            name, rest = "pip", rest[2:]
        else:
            return ShellOutcome.OPEN
    if _PIP.match(name):
        name = "pip"
    asks = name in _ASKING or any(verb in rest[:2] for verb in _ASKING_VERBS.get(name, ()))
    return ShellOutcome.OPEN if asks or words[-1] in ("--version", "-V") else ShellOutcome.LIKELY


def _evaluate(words: Sequence[str]) -> ShellOutcome:
    """Evaluate a test of two plain numbers; any other depends on the machine."""
    operands = [word for word in words if word not in ("]", "]]")]
    if len(operands) != 3 or not (operands[0].isdigit() and operands[2].isdigit()):
        return ShellOutcome.OPEN
    first, second = int(operands[0]), int(operands[2])
    holds = {
        "-eq": first == second,
        "=": operands[0] == operands[2],
        "==": operands[0] == operands[2],
        "-ne": first != second,
        "!=": operands[0] != operands[2],
        "-lt": first < second,
        "-le": first <= second,
        "-gt": first > second,
        "-ge": first >= second,
    }.get(operands[1])
    if holds is None:
        return ShellOutcome.OPEN
    return ShellOutcome.SUCCEEDS if holds else ShellOutcome.FAILS
