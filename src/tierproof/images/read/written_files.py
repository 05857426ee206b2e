"""The files that a notebook's cells write before something reads them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tierproof.guard.commands.shell_script import ProgramCall

_PRINTERS = ("echo", "printf")
_APPENDING = (">>", "&>>")
_WRITING = (">", ">|", "&>", *_APPENDING)


class WrittenFiles:
    """Text by path; a path whose text is only known when the notebook runs is among them as well."""

    def __init__(self) -> None:
        self._texts: dict[str, str | None] = {}

    def write(self, path: Path, text: str | None, *, append: bool = False) -> None:
        """Note that a file is written (None: with what is not known)."""
        key = os.path.normpath(path)
        if append and key not in self._texts and path.is_file():
            self._texts[key] = _read(path)
        before = self._texts.get(key, "") if append else ""
        self._texts[key] = None if text is None or before is None else before + text

    def is_written(self, path: Path) -> bool:
        """Tell whether a cell writes that file."""
        return os.path.normpath(path) in self._texts

    def read(self, path: Path) -> str | None:
        """Return the text of a file that was written, or that lies there; None if it is not known."""
        key = os.path.normpath(path)
        return self._texts[key] if key in self._texts else _read(path)

    @property
    def known(self) -> Mapping[str, str]:
        """The texts that are known, by normal path."""
        return {path: text for path, text in self._texts.items() if text is not None}


def read_shell_write(call: ProgramCall, unknown: str) -> list[tuple[str, str | None, bool]]:
    """Return the files that a program of a shell script writes: name, text (None: not known), and whether appended.

    Args:
        call: the program.
        unknown: stands in its words for what is not known.
    """
    text = _tell_output(call, unknown)
    found = [
        (each.target, text, each.sign in _APPENDING)
        for each in call.redirections
        if each.sign in _WRITING and each.target and not each.target.startswith("/dev/")
    ]
    name, rest = (
        call.words[0].rpartition("/")[2],
        [word for word in call.words[1:] if not word.startswith("-")],
    )
    if name == "tee":
        found += [(word, _tell_here_document(call), "-a" in call.words) for word in rest]
    elif name == "sed" and any(word.startswith("-i") for word in call.words):
        found += [(word, None, False) for word in rest[1:]]
    return found


def _tell_output(call: ProgramCall, unknown: str) -> str | None:
    """Return what a program prints: `echo`'s words, or the here-document that `cat` passes on."""
    name = call.words[0].rpartition("/")[2]
    if name == "cat" and len(call.words) == 1:
        return _tell_here_document(call)
    if name not in _PRINTERS or any(unknown in word for word in call.words):
        return None
    words = [word for word in call.words[1:] if word not in ("-e", "-n", "-ne", "-en")]
    text = " ".join(words)
    if name == "printf" or any("e" in word for word in call.words[1:2] if word.startswith("-")):
        text = text.replace("\\n", "\n")
    return text + ("" if name == "printf" else "\n")


def _tell_here_document(call: ProgramCall) -> str | None:
    return next((each.text for each in call.redirections if each.sign in ("<<", "<<-")), None)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, ValueError):
        return None
