"""The scripts and commands that a program runs by its words or its input: `sh -c`, `find -exec`, `python -c`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tierproof.guard.commands.python_text import find_python_commands
from tierproof.guard.commands.shell_state import ShellState
from tierproof.guard.commands.shell_wrappers import find_script_option

_SHELL = re.compile(r"(ba|z|da|k)?sh(\.exe)?\Z")
_PYTHON = re.compile(r"(python|pypy)[\d.]*(\.exe)?\Z", re.IGNORECASE)
_SOURCES = ("source", ".")
_SURE_SIGNALS = frozenset({"EXIT", "0", "DEBUG"})


@dataclass(frozen=True, slots=True)
class Nested:
    """Something that a program runs.

    Attributes:
        what: a script, or the words of one command.
        is_sure: it runs if the program does; a trap for a signal may not.
        is_same_shell: what it sets holds afterwards, as of `source`.
    """

    what: str | list[str]
    is_sure: bool = True
    is_same_shell: bool = False


def find_nested(words: list[str], state: ShellState, given: str | None) -> Iterator[Nested]:
    """Yield what a program runs.

    Args:
        words: the program and its arguments, with what precedes it (`sudo`, `env`) taken off.
        state: of the shell that starts it.
        given: its standard input; None where that is not known.
    """
    name, rest = os.path.basename(words[0].replace("\\", "/")), words[1:]  # noqa: PTH119 - a word, no file
    if name == "eval":
        yield Nested(" ".join(rest), is_same_shell=True)
    elif name == "trap":
        yield from _find_trapped(rest)
    elif name == "find":
        yield from map(Nested, _find_executed(rest))
    elif name == "watch":
        yield Nested(" ".join(word for word in rest if not word.startswith("-")))
    elif script := find_script_option(words):
        yield Nested(script)
    elif _PYTHON.match(name):
        yield from map(Nested, find_python_commands(_find_python_text(rest, given)))
    else:
        yield from _find_shell(name, words, state, given)


def is_syntax_check(words: Sequence[str]) -> bool:
    """Tell whether it is `bash -n`, which runs nothing."""
    options = [word for word in words[1:] if word.startswith("-") and not word.startswith("--")]
    name = os.path.basename(words[0])  # noqa: PTH119 - a word, no file
    return _SHELL.match(name) is not None and any("n" in word for word in options[:2])


def _find_shell(name: str, words: list[str], state: ShellState, given: str | None) -> Iterator[Nested]:
    is_source = name in _SOURCES
    text = None
    if is_source or _SHELL.match(name):
        text = _find_shell_script(words[1:], state, given, is_source=is_source)
    elif "/" in words[0] and name.endswith((".sh", ".bash")):
        text = state.read_text(words[0])
    if text is not None:
        yield Nested(text, is_same_shell=is_source)


def _find_shell_script(
    rest: list[str], state: ShellState, given: str | None, *, is_source: bool
) -> str | None:
    """The script of `sh -c SCRIPT`, `sh FILE` or `… | sh`; None if it is not known."""
    for at, word in enumerate(rest):
        if re.match(r"-[a-z]*c[a-z]*\Z", word) and not is_source:
            return rest[at + 1] if at + 1 < len(rest) else None
        if word in ("-s", "-"):
            break
        if not word.startswith(("-", "+")):
            return state.read_script(word)
    return given


def _find_python_text(rest: list[str], given: str | None) -> str:
    for at, word in enumerate(rest):
        if re.match(r"-[a-zA-Z]*c\Z", word):
            return "".join(rest[at + 1 : at + 2])
        if word.startswith("-m") or (not word.startswith("-") and word != "-"):
            return ""
    return given or ""


def _find_trapped(rest: list[str]) -> Iterator[Nested]:
    words = [word for word in rest if word != "--"]
    if len(words) > 1 and words[0] not in ("", "-") and not words[0].startswith("-"):
        yield Nested(words[0], is_sure=not _SURE_SIGNALS.isdisjoint(words[1:]))


def _find_executed(words: Sequence[str]) -> Iterator[list[str]]:
    """The commands behind `-exec` and its like in the words of `find`."""
    for at, word in enumerate(words):
        if word in ("-exec", "-execdir", "-ok", "-okdir"):
            command = []
            for each in words[at + 1 :]:
                if each in (";", "+"):
                    break
                command.append(each)
            if command:
                yield command
