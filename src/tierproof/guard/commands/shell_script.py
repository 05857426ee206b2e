"""Which programs a piece of shell text starts, in order, and whether each is certain to run.

    text → ShellWord → SimpleCommand → Node (shell_tree) → ProgramCall

Nothing is run: variables, `cd`, loops, functions, pipes into a shell and the outcome of commands are followed.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from tierproof.guard.commands.printed_text import tell_printed
from tierproof.guard.commands.python_text import find_python_commands
from tierproof.guard.commands.shell_outcome import Outcome, tell_outcome
from tierproof.guard.commands.shell_tree import (
    Block,
    Case,
    Chain,
    ForLoop,
    Function,
    If,
    Loop,
    Node,
    Pipeline,
    Simple,
    parse_script,
)
from tierproof.guard.commands.shell_word import PARAMETER_SEPARATOR, ShellWord, expand_variables
from tierproof.guard.commands.shell_words import Redirection, SimpleCommand
from tierproof.guard.commands.shell_wrappers import find_script_option, read_assignments, strip_prefixes

_DEPTH = 4
_MOST_ROUNDS = 50
_MOST_ROUNDS_IN_ALL = 500
_SHELL = re.compile(r"(ba|z|da|k)?sh(\.exe)?\Z")
_PYTHON = re.compile(r"(python|pypy)[\d.]*(\.exe)?\Z", re.IGNORECASE)
_EXPORTED = re.compile(r"(PIP|UV)_[A-Z_]+\Z")
_SURE_SIGNALS = frozenset({"EXIT", "0", "DEBUG"})
_FED = "<("


class Certainty(Enum):
    """How certain a part of a script is to run."""

    CERTAIN = auto()
    UNLIKELY = auto()  # behind `||` of what scripts count on
    OPEN = auto()  # in an `if`, behind `command -v x &&`


@dataclass(frozen=True, slots=True)
class ProgramCall:
    """One program that a script starts.

    Attributes:
        words: the program and its arguments, with variables put in.
        prefixes: what stood before it and runs it, such as `sudo` or `xargs -n 1`.
        environment: variables set for it alone, and those of pip and uv that were exported before.
        folder: where `cd` led before, relative or absolute; empty for the current folder.
        is_conditional: it may not run: in an `if`, behind `||`, or behind `&&` of a command that asks something.
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
    text: str,
    variables: Mapping[str, str],
    tell_unset: Callable[[str], str] | None = None,
    read_file: Callable[[str], str | None] | None = None,
) -> Iterator[ProgramCall]:
    """Yield the programs that shell text starts; what never runs is left out.

    Args:
        text: one line or a script.
        variables: the shell's at its start.
        tell_unset: what to put in for `$NAME` that is not set and for `$(command)`, as written; nothing by default.
        read_file: gives the text of a script or of a file that is piped on; None for none. Without it none is read.
    """
    yield from _make(variables, tell_unset, read_file).read(text, 0)


def follow_words(
    words: Sequence[str],
    variables: Mapping[str, str],
    read_file: Callable[[str], str | None] | None = None,
) -> Iterator[ProgramCall]:
    """Yield the programs that one process's command line starts: itself, or what its `sh -c` says."""
    yield from _make(variables, None, read_file).run_words(list(words), SimpleCommand(()), _Place())


def _make(
    variables: Mapping[str, str],
    tell_unset: Callable[[str], str] | None,
    read_file: Callable[[str], str | None] | None,
) -> _Follower:
    return _Follower(dict(variables), tell_unset or (lambda _: ""), read_file or (lambda _: None))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a command stands: how certain it is to run, how deep, and its standard input where that is known."""

    certainty: Certainty = Certainty.CERTAIN
    depth: int = 0
    given: str | None = None

    def within(self, certainty: Certainty) -> _Place:
        """The same place, with what is less certain of the two."""
        if self.certainty is Certainty.OPEN or certainty is Certainty.CERTAIN:
            return replace(self, given=None)
        return replace(self, certainty=certainty, given=None)


class _Follower:
    """Follows a script: variables, functions and `cd` hold for what comes after."""

    def __init__(
        self,
        variables: dict[str, str],
        tell_unset: Callable[[str], str],
        read_file: Callable[[str], str | None],
    ) -> None:
        self._variables = variables
        self._tell_unset = tell_unset
        self._read_file = read_file
        self._functions: dict[str, Node] = {}
        self._exported: dict[str, str] = {}
        self._folder = ""
        self._written: dict[str, str | None] = {}
        self._rounds = 0
        self._ended = False
        self._may_end = False
        self._outcome = Outcome.SUCCEEDS

    def read(self, text: str, depth: int, certainty: Certainty = Certainty.CERTAIN) -> Iterator[ProgramCall]:
        yield from self._walk(parse_script(text), _Place(certainty, depth))

    # -- the structure

    def _walk(self, node: Node, place: _Place) -> Iterator[ProgramCall]:
        if self._ended:
            return
        if self._may_end:
            place = place.within(Certainty.OPEN)
        match node:
            case Simple():
                yield from self._run(node, place)
            case Block():
                yield from self._walk_block(node, place)
            case Chain():
                yield from self._walk_chain(node, place)
            case Pipeline():
                yield from self._walk_pipeline(node, place)
            case If():
                yield from self._walk_if(node, place)
            case Loop():
                yield from self._walk_loop(node, place)
            case ForLoop():
                yield from self._walk_for(node, place)
            case Case():
                yield from self._walk_case(node, place)
            case Function():
                self._functions[node.name] = node.body
                self._outcome = Outcome.SUCCEEDS

    def _walk_block(self, block: Block, place: _Place) -> Iterator[ProgramCall]:
        kept = (dict(self._variables), self._folder, self._may_end)
        self._outcome = Outcome.SUCCEEDS
        for part in block.parts:
            yield from self._walk(part, place)
        if block.is_subshell:
            self._variables, self._folder, self._may_end = kept
            self._ended = False

    def _walk_chain(self, chain: Chain, place: _Place) -> Iterator[ProgramCall]:
        yield from self._walk(chain.first, place)
        for sign, part in chain.rest:
            before = self._outcome
            certainty = _follow(sign, before)
            if certainty is None or self._ended:
                continue
            yield from self._walk(part, place.within(certainty))
            if certainty is Certainty.OPEN:
                self._outcome = Outcome.OPEN
            elif certainty is Certainty.UNLIKELY:
                self._outcome = before

    def _walk_pipeline(self, pipeline: Pipeline, place: _Place) -> Iterator[ProgramCall]:
        given = place.given
        if len(pipeline.parts) == 1:
            yield from self._walk(pipeline.parts[0], place)
        else:
            for part in pipeline.parts:
                kept = (self._ended, self._may_end)
                yield from self._walk(part, replace(place, given=given))
                self._ended, self._may_end = kept
                given = self._tell_output(part, given)
        if pipeline.negated:
            self._outcome = self._outcome.negate()

    def _walk_if(self, node: If, place: _Place) -> Iterator[ProgramCall]:
        for condition, body in node.branches:
            yield from self._walk(condition, place)
            match self._outcome:
                case Outcome.SUCCEEDS:
                    yield from self._walk(body, place)
                    return
                case Outcome.FAILS:
                    continue
            place = place.within(Certainty.OPEN)
            yield from self._walk_perhaps(body, place)
        yield from self._walk_perhaps(node.otherwise, place)
        self._outcome = Outcome.LIKELY

    def _walk_perhaps(self, block: Block, place: _Place) -> Iterator[ProgramCall]:
        """Walk what may not run: if it ends the script, then what follows may not run either."""
        yield from self._walk(block, place)
        if self._ended and place.certainty is not Certainty.CERTAIN:
            self._ended, self._may_end = False, True

    def _walk_loop(self, loop: Loop, place: _Place) -> Iterator[ProgramCall]:
        yield from self._walk(loop.condition, place)
        outcome = self._outcome if loop.word == "while" else self._outcome.negate()
        if outcome is Outcome.FAILS:
            return
        if outcome is not Outcome.SUCCEEDS:
            place = place.within(Certainty.OPEN)
        yield from self._walk_perhaps(loop.body, place)
        self._outcome = Outcome.LIKELY

    def _walk_for(self, loop: ForLoop, place: _Place) -> Iterator[ProgramCall]:
        yield from self._follow_inner(loop.command, place)
        if loop.values is None:
            values = self._variables.get("@", "").split(PARAMETER_SEPARATOR)
            values = [value for value in values if value]
        else:
            values = [each for word in loop.values for each in self._expand_word(word)]
        self._rounds += len(values)
        if not loop.is_whole or len(values) > _MOST_ROUNDS or self._rounds > _MOST_ROUNDS_IN_ALL:
            values = [" ".join(values)]
        for value in values:
            self._variables[loop.variable] = value
            yield from self._walk(loop.body, place)
        self._outcome = Outcome.LIKELY

    def _walk_case(self, node: Case, place: _Place) -> Iterator[ProgramCall]:
        yield from self._follow_inner(node.command, place)
        word, is_known = self._tell_word(node.word)
        for patterns, body in node.branches:
            told = [self._tell_word(pattern) for pattern in patterns]
            if not (is_known and all(known for _, known in told)):
                place = place.within(Certainty.OPEN)
                yield from self._walk_perhaps(body, place)
            elif any(fnmatch.fnmatchcase(word, pattern) for pattern, _ in told):
                yield from self._walk_perhaps(body, place)
                return
        self._outcome = Outcome.LIKELY

    # -- commands

    def _run(self, node: Simple, place: _Place) -> Iterator[ProgramCall]:
        command = node.command
        yield from self._follow_inner(command, place)
        if node.array is not None:
            name, values = node.array
            words = [each for word in values for each in self._expand_word(word)]
            self._variables[f"{name}[@]"] = PARAMETER_SEPARATOR.join(words)
            return
        words = [each for word in command.words for each in self._expand_word(word)]
        given = self._tell_input(command)
        if given is not None:
            place = replace(place, given=given)
        yield from self.run_words(words, command, place)
        self._note_written(node, place)

    def _note_written(self, node: Simple, place: _Place) -> None:
        """Remember what a command writes into a file, for one that reads it later."""
        for each in node.command.redirections:
            if each.sign in (">", ">>", ">|"):
                path = self._join(" ".join(self._expand_word(each.word)))
                told = self._tell_output(node, place.given)
                before = self._written.get(path, "") if each.sign == ">>" else ""
                self._written[path] = None if told is None or before is None else before + told

    def _join(self, path: str) -> str:
        return os.path.normpath(os.path.join(self._folder, path))  # noqa: PTH118

    def _read_text(self, path: str) -> str | None:
        """The text of a file: as the script has written it, else as it lies there."""
        joined = self._join(path)
        return self._written[joined] if joined in self._written else self._read_file(joined)

    def _follow_inner(self, command: SimpleCommand, place: _Place) -> Iterator[ProgramCall]:
        for script in command.inner if place.depth < _DEPTH else ():
            inner = self._enter()
            for call in inner.read(script, place.depth + 1, place.certainty):
                yield replace(call, start=command.start, end=command.end)

    def _enter(self) -> _Follower:
        """A shell of its own, which leaves this one's variables as they are."""
        inner = _Follower(dict(self._variables), self._tell_unset, self._read_file)
        inner._functions, inner._exported = dict(self._functions), dict(self._exported)
        inner._written = self._written
        inner._folder = self._folder
        return inner

    def run_words(self, words: list[str], command: SimpleCommand, place: _Place) -> Iterator[ProgramCall]:
        """Yield what one command starts, and take note of what it changes for those after it."""
        assigned, stripped = strip_prefixes(words)
        self._outcome = tell_outcome(stripped)
        if not stripped:
            self._variables |= assigned
            return
        name, rest = os.path.basename(stripped[0].replace("\\", "/")), stripped[1:]  # noqa: PTH119 - a word, no file
        if self._keep(name, rest, place):
            return
        if name in self._functions and place.depth < _DEPTH:
            yield from self._call_function(name, rest, place)
            return
        if _is_syntax_check(name, rest):
            return
        nested = tuple(self._find_nested(name, stripped, assigned, place)) if place.depth < _DEPTH else ()
        for text, certainty in nested:
            inner = self._enter() if name != "eval" and name not in ("source", ".") else self
            inner._exported |= {key: value for key, value in assigned.items() if _EXPORTED.match(key)}
            deeper = replace(place, depth=place.depth + 1, given=None).within(certainty)
            calls = (
                inner.read(text, deeper.depth, deeper.certainty)
                if isinstance(text, str)
                else inner.run_words(list(text), command, deeper)
            )
            for call in calls:
                yield replace(call, start=command.start, end=command.end)
        if nested:
            self._outcome = Outcome.LIKELY
            return
        prefixes = tuple(words[: len(words) - len(stripped)])
        if place.given is not None and any(os.path.basename(word) == "xargs" for word in prefixes):  # noqa: PTH119
            stripped = [*stripped, *place.given.split()]
        yield ProgramCall(
            tuple(stripped),
            prefixes,
            tuple({**self._exported, **assigned}.items()),
            self._folder,
            place.certainty is not Certainty.CERTAIN,
            command.redirections,
            command.start,
            command.end,
        )

    def _keep(self, name: str, rest: list[str], place: _Place) -> bool:
        """Take note of what a command of the shell itself changes; False for any other."""
        match name:
            case "cd" | "pushd":
                operands = [word for word in rest if not word.startswith("-")]
                self._folder = os.path.join(self._folder, *operands[:1])  # noqa: PTH118 - resolved by who uses it
            case "export" | "declare" | "readonly" | "local" | "typeset":
                found = read_assignments([word for word in rest if not word.startswith("-")])[0]
                self._variables |= found
                if name == "export":
                    named = {word: self._variables[word] for word in rest if word in self._variables}
                    found |= named
                    self._exported |= {key: value for key, value in found.items() if _EXPORTED.match(key)}
            case "read":
                for variable in rest:
                    self._variables.pop(variable, None)
            case "set":
                if "--" in rest:
                    self._set_parameters(rest[rest.index("--") + 1 :])
            case "unset":
                for variable in rest:
                    self._variables.pop(variable, None)
                    self._exported.pop(variable, None)
            case "exit" | "return" | "break" | "continue" | "logout":
                if name in ("exit", "return") and rest:
                    self._outcome = Outcome.SUCCEEDS if rest[0] == "0" else Outcome.FAILS
                if place.certainty is Certainty.CERTAIN:
                    self._ended = True
                elif place.certainty is Certainty.OPEN:
                    self._may_end = True
            case _:
                return False
        return True

    def _call_function(self, name: str, arguments: list[str], place: _Place) -> Iterator[ProgramCall]:
        names = ("@", "*", "#", *map(str, range(10)))
        kept = {each: self._variables[each] for each in names if each in self._variables}
        self._set_parameters(arguments)
        deeper = replace(place, depth=place.depth + 1)
        may_end = self._may_end
        yield from self._walk(self._functions[name], deeper)
        self._ended, self._may_end = False, may_end
        self._outcome = Outcome.LIKELY
        for each in names:
            self._variables.pop(each, None)
        self._variables |= kept

    def _set_parameters(self, arguments: Sequence[str]) -> None:
        for number in range(1, 10):
            self._variables.pop(str(number), None)
        self._variables |= {str(number): value for number, value in enumerate(arguments[:9], start=1)}
        joined = PARAMETER_SEPARATOR.join(arguments)
        self._variables |= {"@": joined, "*": joined, "#": str(len(arguments))}

    def _find_nested(
        self, name: str, words: list[str], assigned: Mapping[str, str], place: _Place
    ) -> Iterator[tuple[str | list[str], Certainty]]:
        """Yield the scripts, or commands in words, that a program runs by its arguments or its input."""
        rest = words[1:]
        sure = Certainty.CERTAIN
        if name == "eval":
            yield " ".join(rest), sure
        elif name == "trap":
            action, signals = [word for word in rest if word != "--"][:1], rest[1:]
            if action and action[0] not in ("", "-") and signals:
                yield action[0], sure if not _SURE_SIGNALS.isdisjoint(signals) else Certainty.OPEN
        elif name == "find":
            for command in _find_executed(rest):
                yield command, sure
        elif name == "watch":
            yield " ".join(word for word in rest if not word.startswith("-")), sure
        elif script := find_script_option(words):
            yield script, sure
        elif _SHELL.match(name) or name in ("source", "."):
            text = self._find_shell_script(name, rest, place)
            if text is not None:
                yield text, sure
        elif _PYTHON.match(name):
            for each in find_python_commands(self._find_python_text(rest, place)):
                yield each, sure
        elif "/" in words[0] and name.endswith((".sh", ".bash")):
            text = self._read_text(words[0])
            if text is not None:
                yield text, sure

    def _find_shell_script(self, name: str, rest: list[str], place: _Place) -> str | None:
        """The script of `sh -c SCRIPT`, `sh FILE` or `… | sh`; None if it is not known."""
        for at, word in enumerate(rest):
            if re.match(r"-[a-z]*c[a-z]*\Z", word) and name not in ("source", "."):
                return rest[at + 1] if at + 1 < len(rest) else None
            if word == "-s" or word == "-":
                break
            if not word.startswith(("-", "+")):
                return self._read_script(word)
        return place.given

    def _read_script(self, operand: str) -> str | None:
        if operand.startswith(_FED) and operand.endswith(")"):
            return self._tell_script_output(operand[len(_FED) : -1])
        return self._read_text(operand)

    def _find_python_text(self, rest: list[str], place: _Place) -> str:
        for at, word in enumerate(rest):
            if re.match(r"-[a-zA-Z]*c\Z", word):
                return "".join(rest[at + 1 : at + 2])
            if word.startswith("-m") or (not word.startswith("-") and word != "-"):
                return ""
        return place.given or ""

    # -- text that is known

    def _expand_word(self, word: ShellWord) -> list[str]:
        return word.expand(self._variables, self._tell)

    def _tell(self, written: str) -> str:
        """What to put in for `$NAME` that is not set, and for `$(…)`, whose text may be known."""
        if written.startswith(("$(", "`")):
            script = written[2:-1] if written.startswith("$(") else written[1:-1]
            told = self._tell_script_output(script)
            if told is not None:
                return told.rstrip("\n")
        return self._tell_unset(written)

    def _tell_script_output(self, script: str) -> str | None:
        """What a script prints; None if it does anything but print."""
        block = parse_script(script)
        return self._tell_output(block.parts[0], None) if len(block.parts) == 1 else None

    def _tell_output(self, node: Node, given: str | None) -> str | None:
        match node:
            case Simple(command, None):
                if not command.inner:
                    words = [each for word in command.words for each in self._expand_word(word)]
                    stripped = strip_prefixes(words)[1]
                    fed = self._tell_input(command)
                    return tell_printed(stripped, given if fed is None else fed, self._read_text) if stripped else None
            case Pipeline(parts):
                for part in parts:
                    given = self._tell_output(part, given)
                return given
            case Block(parts):
                texts = [self._tell_output(part, given) for part in parts]
                return None if None in texts else "".join(text for text in texts if text is not None)
        return None

    def _tell_input(self, command: SimpleCommand) -> str | None:
        """The standard input that a redirection gives; None where that is not known, or none does."""
        for each in reversed(command.redirections):
            if each.sign in ("<<", "<<-"):
                is_quoted = not each.word.literal
                return each.text if is_quoted else expand_variables(each.text, self._variables, self._tell)
            if each.sign == "<<<":
                return " ".join(self._expand_word(each.word))
            if each.sign == "<":
                target = " ".join(self._expand_word(each.word))
                return self._read_script(target)
        return None

    def _tell_word(self, word: ShellWord) -> tuple[str, bool]:
        """The text of a word, and whether all of it is known."""
        unknown: list[str] = []
        told = word.expand(self._variables, lambda written: unknown.append(written) or "")
        return " ".join(told), not unknown


def _follow(sign: str, before: Outcome) -> Certainty | None:
    """How certain the part behind `&&` or `||` is to run; None if it never does."""
    if sign == "&&":
        known = {Outcome.FAILS: None, Outcome.OPEN: Certainty.OPEN}
        return known.get(before, Certainty.CERTAIN)
    other = {Outcome.SUCCEEDS: None, Outcome.FAILS: Certainty.CERTAIN, Outcome.LIKELY: Certainty.UNLIKELY}
    return other.get(before, Certainty.OPEN)


def _is_syntax_check(name: str, rest: Sequence[str]) -> bool:
    """Tell whether it is `bash -n`, which runs nothing."""
    options = [word for word in rest if word.startswith("-") and not word.startswith("--")]
    return _SHELL.match(name) is not None and any("n" in word for word in options[:2])


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
