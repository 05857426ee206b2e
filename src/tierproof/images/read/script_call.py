"""Programs of a notebook that run a script: what the script installs is only known from its text."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tierproof.guard.commands.shell_script import ProgramCall

_SHELL = re.compile(r"(ba|z|da|k)?sh\Z")
_PYTHON = re.compile(r"python[\d.]*\Z")
_INSTALLS = re.compile(
    r"install|set-?_?up|requirement|dep(s|endenc)|env|bootstrap|conda|pip|forge|provision|init", re.IGNORECASE
)
_DISTRIBUTION = re.compile(r"(mini|ana|mamba|micro)(forge|conda|mamba)\d*.*\.(sh|exe)\Z", re.IGNORECASE)
_PREFIXES = ("/usr", "/usr/local")
_FILE = re.compile(r"[\w./~-]+\.(sh|bash|py)\Z")


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """A script that is run.

    Attributes:
        path: as typed; empty if it comes from a pipe.
        is_python: else it is a shell's.
        may_install: its name says so.
        replaces_python: it puts a distribution with a Python of its own over the kernel's.
        apart: the folder of an environment of its own that it makes; else empty.
    """

    path: str
    is_python: bool = False
    may_install: bool = True
    replaces_python: bool = False
    apart: str = ""

    @property
    def is_text(self) -> bool:
        """Whether its file holds commands as they are: not a pipe, and not a notebook, which `%run` takes as well."""
        return bool(self.path) and not self.path.endswith(".ipynb")


def read_script_call(call: ProgramCall) -> ScriptCall | None:
    """Read a call of a shell or of Python with a script, or of a script itself; None for any other program."""
    name, rest = os.path.basename(call.words[0]), list(call.words[1:])  # noqa: PTH119 - a word, no file
    if name in ("source", "."):
        return _make(rest[0], rest[1:]) if rest and not rest[0].endswith("/activate") else None
    if _SHELL.match(name):
        operands = [word for word in rest if not word.startswith("-")]
        if not operands:
            return ScriptCall("") if not rest or "-s" in rest or rest == ["-"] else None
        return _make(operands[0], rest)
    if _PYTHON.match(name):
        operands = [word for word in rest if not word.startswith("-")]
        if "-m" in rest or "-c" in rest or not operands:
            return None
        path = operands[0]
        file = path.rpartition("/")[2]
        if file == "setup.py":
            installs = bool({"install", "develop"} & set(operands[1:]))
        else:
            installs = _INSTALLS.search(file) is not None
        return ScriptCall(path, is_python=True, may_install=installs)
    if "/" in call.words[0] and _FILE.match(call.words[0]):
        return _make(call.words[0], rest)
    return None


def _make(path: str, rest: Sequence[str]) -> ScriptCall:
    file = path.rpartition("/")[2]
    if not _DISTRIBUTION.search(file):
        return ScriptCall(path, path.endswith(".py"), _INSTALLS.search(file) is not None)
    prefix = next(
        (
            rest[at + 1]
            for at, word in enumerate(rest[:-1])
            if re.match(r"-[a-z]*p\Z", word) and not rest[at + 1].startswith("-")
        ),
        "",
    )
    over = prefix.rstrip("/") in _PREFIXES
    return ScriptCall(path, replaces_python=over, apart="" if over else prefix or "its default folder")
