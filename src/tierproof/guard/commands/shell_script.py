"""Which programs a piece of shell text starts, in order. Nothing is run: variables, `cd` and loops are followed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tierproof.guard.commands.shell_blocks import ShellBlocks
from tierproof.guard.commands.shell_words import Redirection, SimpleCommand, split_commands

_DEPTH = 4
_ACTIVATE = "/bin/activate"
_MOST_ROUNDS = 50
_MOST_ROUNDS_IN_ALL = 500
_SHELL = re.compile(r"(ba|z|da|k)?sh(\.exe)?\Z")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=(.*)\Z", re.DOTALL)
_DURATION = re.compile(r"\d+(\.\d+)?[smhd]?\Z")
_KEYWORD_NAMES = "do then else if elif while until ! { } time exec command builtin nohup noglob stdbuf"
_KEYWORDS = frozenset(_KEYWORD_NAMES.split())
# Programs that run another one, with those of their options that take a value.
_RUNNERS = {
    "sudo": "ughpCDRT",
    "env": "uCS",
    "nice": "n",
    "ionice": "cnp",
    "timeout": "ks",
    "xargs": "IdEnLPas",
}


@dataclass(frozen=True, slots=True)
class ProgramCall:
    """One program that a script starts.

    Attributes:
        words: the program and its arguments, with variables put in.
        prefixes: what stood before it and runs it, such as `sudo` or `xargs -n 1`.
        environment: variables set for it alone.
        folder: where `cd` led before, relative or absolute; empty for the current folder.
        is_conditional: it may not run: it stands behind `&&` or `||`, in an `if`, a loop or a function.
        redirections: its own.
        start: offset in the text where it begins; that of the outer command for a shell in a shell.
        end: offset behind it.
    """

    words: tuple[str, ...]
    prefixes: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    folder: str = ""
    is_conditional: bool = False
    redirections: tuple[Redirection, ...] = ()
    start: int = 0
    end: int = 0


def follow_script(
    text: str, variables: Mapping[str, str], tell_unset: Callable[[str], str] | None = None
) -> Iterator[ProgramCall]:
    """Yield the programs that shell text starts.

    Args:
        text: one line or a script.
        variables: the shell's at its start.
        tell_unset: what to put in for `$NAME` that is not set and for `$(command)`, as written; nothing by default.
    """
    yield from _Follower(dict(variables), tell_unset or (lambda _: "")).read(text, 0)


def follow_words(words: Sequence[str], variables: Mapping[str, str]) -> Iterator[ProgramCall]:
    """Yield the programs that one process's command line starts: itself, or what its `sh -c` says."""
    yield from _Follower(dict(variables), lambda _: "").read_words(list(words), SimpleCommand(()), False, 0)


class _Follower:
    """Follows a script: variables and `cd` hold for what comes after."""

    def __init__(self, variables: dict[str, str], tell_unset: Callable[[str], str]) -> None:
        self._variables = variables
        self._tell_unset = tell_unset
        self._folder = ""
        self._activated = ""
        self._rounds = 0

    def read(self, text: str, depth: int, is_conditional: bool = False) -> Iterator[ProgramCall]:
        commands = tuple(split_commands(text))
        yield from self._read_commands(commands, ShellBlocks(is_conditional), depth)

    def _read_commands(
        self, commands: Sequence[SimpleCommand], blocks: ShellBlocks, depth: int
    ) -> Iterator[ProgramCall]:
        at = 0
        while at < len(commands):
            words = self._expand(commands[at])
            is_conditional = blocks.place(commands[at].before, words)
            rest = strip_prefixes(words)[1]
            at += 1
            if rest[:1] != ["for"] or rest[2:3] != ["in"]:
                yield from self.read_words(words, commands[at - 1], is_conditional, depth)
                continue
            end = _find_end_of_loop(commands, at)
            for value in self._find_rounds(rest[3:], end):
                self._variables[rest[1]] = value
                yield from self._read_commands(commands[at:end], blocks, depth)
            at = max(at, end)

    def _find_rounds(self, values: list[str], end: int) -> list[str]:
        """Return the values that a loop's variable takes: all as one where there are too many, or no end."""
        self._rounds += len(values)
        if end and len(values) <= _MOST_ROUNDS and self._rounds <= _MOST_ROUNDS_IN_ALL:
            return values
        return [" ".join(values)]

    def _expand(self, command: SimpleCommand) -> list[str]:
        return [each for word in command.words for each in word.expand(self._variables, self._tell_unset)]

    def _follow_builtin(self, name: str, rest: list[str]) -> bool:
        """Follow what changes the shell itself: its folder, variables and environment; False for a program."""
        if name == "cd":
            operands = [word for word in rest if not word.startswith("-")]
            self._folder = os.path.join(self._folder, *operands[:1])  # noqa: PTH118 - resolved by who uses it
        elif name in ("export", "declare", "readonly", "local"):
            self._variables |= read_assignments(rest)[0]
        elif name in ("source", ".") and rest and rest[0].endswith(_ACTIVATE):
            self._activated = os.path.join(self._folder, rest[0].removesuffix(_ACTIVATE))  # noqa: PTH118 - as typed
        elif name == "deactivate":
            self._activated = ""
        elif name == "read":
            for variable in rest:
                self._variables.pop(variable, None)
        else:
            return False
        return True

    def read_words(
        self, words: list[str], command: SimpleCommand, is_conditional: bool, depth: int
    ) -> Iterator[ProgramCall]:
        assigned, stripped = strip_prefixes(words)
        if not stripped:
            self._variables |= assigned
            return
        name, rest = os.path.basename(stripped[0].replace("\\", "/")), stripped[1:]  # noqa: PTH119 - a word, no file
        if self._follow_builtin(name, rest):
            return
        if (nested := _find_nested(name, rest)) and depth < _DEPTH:
            for call in self.read(nested, depth + 1, is_conditional):
                yield replace(call, start=command.start, end=command.end)
        else:
            if self._activated:
                assigned.setdefault("VIRTUAL_ENV", self._activated)
            yield ProgramCall(
                tuple(stripped),
                tuple(words[: len(words) - len(stripped)]),
                tuple(assigned.items()),
                self._folder,
                is_conditional,
                command.redirections,
                command.start,
                command.end,
            )


def _find_nested(name: str, rest: list[str]) -> str:
    """Return the script of `sh -c SCRIPT` or `eval …`; empty if there is none."""
    if name == "eval":
        return " ".join(rest)
    if not _SHELL.match(name):
        return ""
    for at, word in enumerate(rest[:-1]):
        if re.match(r"-[a-z]*c[a-z]*\Z", word):
            return rest[at + 1]
        if not word.startswith("-"):
            break
    return ""


def _find_end_of_loop(commands: Sequence[SimpleCommand], start: int) -> int:
    """Return the index of the `done` that ends the loop whose body begins at `start`; 0 if there is none."""
    depth = 1
    for at in range(start, len(commands)):
        for word in commands[at].words:
            told = "".join(text for text, _ in word.pieces)
            if told in ("for", "while", "until", "select"):
                depth += 1
            elif told == "done":
                depth -= 1
            if told not in ("do", "then", "else", "{"):
                break
        if not depth:
            return at
    return 0


def strip_prefixes(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Remove what precedes a program: assignments, keywords, `sudo`, `env`, `timeout` and their like."""
    assigned, rest = read_assignments(list(words))
    while rest:
        name = os.path.basename(rest[0])  # noqa: PTH119 - a word, no file
        if name in _KEYWORDS:
            rest = rest[1:]
        elif name in _RUNNERS:
            rest = _skip_options(rest[1:], _RUNNERS[name])
            if name == "timeout" and rest and _DURATION.match(rest[0]):
                rest = rest[1:]
        else:
            break
        more, rest = read_assignments(rest)
        assigned |= more
    return assigned, rest


def read_assignments(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return the `NAME=value` words at the beginning, and the rest."""
    found: dict[str, str] = {}
    rest = list(words)
    while rest and (match := _ASSIGNMENT.match(rest[0])):
        found[match[1]] = match[2]
        rest.pop(0)
    return found, rest


def _skip_options(words: list[str], valued: str) -> list[str]:
    rest = list(words)
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word == "--":
            break
        if not word.startswith("--") and word[-1] in valued and len(word) == 2 and rest:
            rest.pop(0)
    return rest
