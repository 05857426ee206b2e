"""Which programs a piece of shell text starts, in order, and whether each is certain to run.

    text → ShellWord → SimpleCommand → Node (shell_tree) → ProgramCall

Nothing is run: variables, `cd`, loops, functions, pipes into a shell and the outcome of commands are followed.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import ClassVar

from tierproof.guard.commands.nested_scripts import Nested, find_nested, is_syntax_check
from tierproof.guard.commands.shell_outcome import ShellOutcome, tell_outcome
from tierproof.guard.commands.shell_state import ShellState
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
from tierproof.guard.commands.shell_words import Redirection, SimpleCommand
from tierproof.guard.commands.shell_wrappers import strip_prefixes

_DEPTH = 4
_MOST_ROUNDS = 50
_MOST_ROUNDS_IN_ALL = 500
_ENDINGS = frozenset({"exit", "return", "break", "continue", "logout"})


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
    yield from _make(variables, tell_unset, read_file).read(text, _Place())


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
    return _Follower(ShellState(dict(variables), tell_unset or (lambda _: ""), read_file or (lambda _: None)))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a command stands: how certain it is to run, how deep, and its standard input where that is known."""

    certainty: Certainty = Certainty.CERTAIN
    depth: int = 0
    given: str | None = None

    def deeper(self) -> _Place:
        """The place of a script that a command here runs."""
        return replace(self, depth=self.depth + 1, given=None)

    def within(self, certainty: Certainty) -> _Place:
        """The same place, with what is less certain of the two."""
        if self.certainty is Certainty.OPEN or certainty is Certainty.CERTAIN:
            return replace(self, given=None)
        return replace(self, certainty=certainty, given=None)


class _Follower:
    """Follows a script: what one command sets holds for those after it."""

    def __init__(self, state: ShellState) -> None:
        self._state = state
        self._ended = False
        self._may_end = False
        self._outcome = ShellOutcome.SUCCEEDS

    def read(self, text: str, place: _Place) -> Iterator[ProgramCall]:
        yield from self._walk(parse_script(text), place)

    # -- the structure

    def _walk(self, node: Node, place: _Place) -> Iterator[ProgramCall]:
        if self._ended:
            return
        if self._may_end:
            place = place.within(Certainty.OPEN)
        yield from self._WALKS[type(node)](self, node, place)

    def _walk_block(self, block: Block, place: _Place) -> Iterator[ProgramCall]:
        state, may_end = self._state, self._may_end
        if block.is_subshell:
            self._state = state.enter()
        self._outcome = ShellOutcome.SUCCEEDS
        for part in block.parts:
            yield from self._walk(part, place)
        if block.is_subshell:
            self._state, self._ended, self._may_end = state, False, may_end

    def _walk_chain(self, chain: Chain, place: _Place) -> Iterator[ProgramCall]:
        yield from self._walk(chain.first, place)
        for sign, part in chain.rest:
            before = self._outcome
            certainty = _follow(sign, before)
            if certainty is None or self._ended:
                continue
            yield from self._walk(part, place.within(certainty))
            if certainty is Certainty.OPEN:
                self._outcome = ShellOutcome.OPEN
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
                given = self._state.tell_output(part, given)
        if pipeline.negated:
            self._outcome = self._outcome.negate()

    def _walk_if(self, node: If, place: _Place) -> Iterator[ProgramCall]:
        for condition, body in node.branches:
            yield from self._walk(condition, place)
            match self._outcome:
                case ShellOutcome.SUCCEEDS:
                    yield from self._walk(body, place)
                    return
                case ShellOutcome.FAILS:
                    continue
            place = place.within(Certainty.OPEN)
            yield from self._walk_perhaps(body, place)
        yield from self._walk_perhaps(node.otherwise, place)
        self._outcome = ShellOutcome.LIKELY

    def _walk_perhaps(self, block: Block, place: _Place) -> Iterator[ProgramCall]:
        """Walk what may not run: if it ends the script, then what follows may not run either."""
        yield from self._walk(block, place)
        if self._ended and place.certainty is not Certainty.CERTAIN:
            self._ended, self._may_end = False, True

    def _walk_loop(self, loop: Loop, place: _Place) -> Iterator[ProgramCall]:
        yield from self._walk(loop.condition, place)
        outcome = self._outcome if loop.word == "while" else self._outcome.negate()
        if outcome is ShellOutcome.FAILS:
            return
        if outcome is not ShellOutcome.SUCCEEDS:
            place = place.within(Certainty.OPEN)
        yield from self._walk_perhaps(loop.body, place)
        self._outcome = ShellOutcome.LIKELY

    def _walk_for(self, loop: ForLoop, place: _Place) -> Iterator[ProgramCall]:
        yield from self._follow_inner(loop.command, place)
        state = self._state
        values = state.list_parameters() if loop.values is None else state.expand(loop.values)
        rounds = state.count_rounds(len(values))
        if not loop.is_whole or len(values) > _MOST_ROUNDS or rounds > _MOST_ROUNDS_IN_ALL:
            values = [" ".join(values)]
        for value in values:
            self._state.assign({loop.variable: value})
            yield from self._walk(loop.body, place)
        self._outcome = ShellOutcome.LIKELY

    def _walk_case(self, node: Case, place: _Place) -> Iterator[ProgramCall]:
        yield from self._follow_inner(node.command, place)
        word, is_known = self._state.tell_word(node.word)
        for patterns, body in node.branches:
            told = [self._state.tell_word(pattern) for pattern in patterns]
            if not (is_known and all(known for _, known in told)):
                place = place.within(Certainty.OPEN)
                yield from self._walk_perhaps(body, place)
            elif any(fnmatch.fnmatchcase(word, pattern) for pattern, _ in told):
                yield from self._walk_perhaps(body, place)
                return
        self._outcome = ShellOutcome.LIKELY

    def _define(self, function: Function, _place: _Place) -> Iterator[ProgramCall]:
        self._state.functions[function.name] = function.body
        self._outcome = ShellOutcome.SUCCEEDS
        yield from ()

    # -- commands

    def _run(self, node: Simple, place: _Place) -> Iterator[ProgramCall]:
        command = node.command
        yield from self._follow_inner(command, place)
        if node.array is not None:
            self._state.assign_array(*node.array)
            return
        given = self._state.tell_input(command)
        if given is not None:
            place = replace(place, given=given)
        yield from self.run_words(self._state.expand(command.words), command, place)
        self._state.note_written(node, place.given)

    def _follow_inner(self, command: SimpleCommand, place: _Place) -> Iterator[ProgramCall]:
        for script in command.inner if place.depth < _DEPTH else ():
            yield from _move(_Follower(self._state.enter()).read(script, place.deeper()), command)

    def run_words(self, words: list[str], command: SimpleCommand, place: _Place) -> Iterator[ProgramCall]:
        """Yield what one command starts, and take note of what it changes for those after it."""
        assigned, stripped = strip_prefixes(words)
        self._outcome = tell_outcome(stripped)
        if not stripped:
            self._state.assign(assigned)
            return
        name, rest = os.path.basename(stripped[0].replace("\\", "/")), stripped[1:]  # noqa: PTH119 - a word, no file
        if name in _ENDINGS:
            self._end(name, rest, place)
        elif name in self._state.functions and place.depth < _DEPTH:
            yield from self._call_function(name, rest, place)
        elif not self._state.keep(name, rest) and not is_syntax_check(stripped):
            nested = tuple(find_nested(stripped, self._state, place.given)) if place.depth < _DEPTH else ()
            for each in nested:
                yield from _move(self._run_nested(each, assigned, command, place), command)
            if nested:
                self._outcome = ShellOutcome.LIKELY
            else:
                yield self._make_call(words, stripped, assigned, command, place)

    def _run_nested(
        self, nested: Nested, assigned: dict[str, str], command: SimpleCommand, place: _Place
    ) -> Iterator[ProgramCall]:
        inner = self if nested.is_same_shell else _Follower(self._state.enter())
        inner._state.assign(assigned, is_exported=True)
        deeper = place.deeper().within(Certainty.CERTAIN if nested.is_sure else Certainty.OPEN)
        if isinstance(nested.what, str):
            yield from inner.read(nested.what, deeper)
        else:
            yield from inner.run_words(nested.what, command, deeper)

    def _make_call(
        self,
        words: list[str],
        stripped: list[str],
        assigned: dict[str, str],
        command: SimpleCommand,
        place: _Place,
    ) -> ProgramCall:
        prefixes = tuple(words[: len(words) - len(stripped)])
        is_fed = any(os.path.basename(word) == "xargs" for word in prefixes)  # noqa: PTH119 - a word, no file
        return ProgramCall(
            (*stripped, *((place.given or "").split() if is_fed else ())),
            prefixes,
            tuple({**self._state.exported, **assigned}.items()),
            self._state.folder,
            place.certainty is not Certainty.CERTAIN,
            command.redirections,
            command.start,
            command.end,
        )

    def _end(self, name: str, rest: list[str], place: _Place) -> None:
        if name in ("exit", "return") and rest:
            self._outcome = ShellOutcome.SUCCEEDS if rest[0] == "0" else ShellOutcome.FAILS
        if place.certainty is Certainty.CERTAIN:
            self._ended = True
        elif place.certainty is Certainty.OPEN:
            self._may_end = True

    def _call_function(self, name: str, arguments: list[str], place: _Place) -> Iterator[ProgramCall]:
        kept, may_end = self._state.set_parameters(arguments), self._may_end
        deeper = replace(place, depth=place.depth + 1)
        yield from self._walk(self._state.functions[name], deeper)
        self._ended, self._may_end, self._outcome = False, may_end, ShellOutcome.LIKELY
        self._state.restore_parameters(kept)

    _WALKS: ClassVar[dict[type, Callable[..., Iterator[ProgramCall]]]] = {
        Simple: _run,
        Block: _walk_block,
        Chain: _walk_chain,
        Pipeline: _walk_pipeline,
        If: _walk_if,
        Loop: _walk_loop,
        ForLoop: _walk_for,
        Case: _walk_case,
        Function: _define,
    }


def _move(calls: Iterator[ProgramCall], command: SimpleCommand) -> Iterator[ProgramCall]:
    """Give calls of a script inside a script the place of the command that runs it."""
    for call in calls:
        yield replace(call, start=command.start, end=command.end)


def _follow(sign: str, before: ShellOutcome) -> Certainty | None:
    """How certain the part behind `&&` or `||` is to run; None if it never does."""
    if sign == "&&":
        known = {ShellOutcome.FAILS: None, ShellOutcome.OPEN: Certainty.OPEN}
        return known.get(before, Certainty.CERTAIN)
    other = {
        ShellOutcome.SUCCEEDS: None,
        ShellOutcome.FAILS: Certainty.CERTAIN,
        ShellOutcome.LIKELY: Certainty.UNLIKELY,
    }
    return other.get(before, Certainty.OPEN)
