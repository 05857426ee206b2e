"""The structure of a shell script: lists, `&&` and `||`, pipes, `if`, loops, `case`, groups and functions.

A broken script is read as far as it goes: a block without its end ends with the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tierproof.guard.commands.shell_word import ShellWord
from tierproof.guard.commands.shell_words import SimpleCommand, split_commands

_SEPARATOR = re.compile(r"&&|\|\||;;&?|;&|\|&?|.", re.DOTALL)
_ENDS_COMMAND = frozenset({";", "\n", "&"})
_OPENING = frozenset({"if", "while", "until", "for", "select", "case", "function"})
_CLOSING = frozenset({"fi", "done", "esac", "}", "then", "else", "elif", "do"})
_MARKS = frozenset({"!", "{", "time"})
_RESERVED = _OPENING | _CLOSING | _MARKS
_DEEPEST = 40


@dataclass(frozen=True, slots=True)
class Simple:
    """A program with its arguments, an assignment, or a call of a function."""

    command: SimpleCommand
    array: tuple[str, tuple[ShellWord, ...]] | None = None  # `NAME=(…)`


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands whose output goes to the next one; `negated` by `!`."""

    parts: tuple[Node, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Chain:
    """`first`, and then parts that run by the outcome of those before: (`&&` or `||`, part)."""

    first: Node
    rest: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Commands one after the other; `is_subshell` where what they set ends with them."""

    parts: tuple[Node, ...]
    is_subshell: bool = False


@dataclass(frozen=True, slots=True)
class If:
    """Each condition with what runs if it holds, and what runs if none does."""

    branches: tuple[tuple[Block, Block], ...]
    otherwise: Block


@dataclass(frozen=True, slots=True)
class Loop:
    """`while` or `until` with its condition."""

    word: str
    condition: Block
    body: Block


@dataclass(frozen=True, slots=True)
class ForLoop:
    """`for` or `select`: its variable and values (None: the parameters); `is_whole` where it has its `done`."""

    command: SimpleCommand
    variable: str
    values: tuple[ShellWord, ...] | None
    body: Block
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Case:
    """A word, and patterns with what runs if one of them matches."""

    command: SimpleCommand
    word: ShellWord
    branches: tuple[tuple[tuple[ShellWord, ...], Block], ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A definition: nothing runs before it is called."""

    name: str
    body: Node


Node = Simple | Pipeline | Chain | Block | If | Loop | ForLoop | Case | Function
_Token = str | SimpleCommand


def parse_script(text: str) -> Block:
    """Parse shell text. Never raises: what makes no sense is passed over."""
    tokens: list[_Token] = []
    for command in split_commands(text):
        tokens += [each for each in _SEPARATOR.findall(command.before) if each not in " \t\r"]
        tokens += _peel(command)
    parser = _Parser(tokens)
    parts: list[Node] = []
    while parser.has_more:
        parts += parser.read_list(0).parts
        parser.skip()  # a `fi` or `)` that nothing opened
    return Block(tuple(parts))


def _peel(command: SimpleCommand) -> list[_Token]:
    """Take the reserved words off the beginning of a command."""
    tokens: list[_Token] = []
    words = list(command.words)
    while words and (name := words[0].literal) in _RESERVED:
        tokens.append(f"word {name}")
        words.pop(0)
        if name == "time" and words and words[0].literal == "-p":
            words.pop(0)
        if name in ("for", "select", "case"):
            break
        if name == "function" and words:
            tokens.append(replace(command, words=(words.pop(0),)))
        if name in ("fi", "done", "esac", "}") and words and words[0].literal not in _RESERVED:
            return tokens  # `} arguments` does not occur; what follows is the redirections' remains
    return [*tokens, replace(command, words=tuple(words))] if words else tokens


class _Parser:
    """Reads the tokens from left to right."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._closed = False  # whether the list that was read last had its end

    @property
    def has_more(self) -> bool:
        return self._at < len(self._tokens)

    def skip(self) -> None:
        self._at += 1

    def _peek(self, ahead: int = 0) -> _Token:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else ""

    def _take(self, *wanted: str) -> bool:
        token = self._peek()
        if isinstance(token, str) and token in wanted:
            self._at += 1
            return True
        return False

    def read_list(self, depth: int, *ends: str) -> Block:
        """Read commands up to one of `ends`, which is taken, or to a word that closes a block further out."""
        parts: list[Node] = []
        while self.has_more:
            token = self._peek()
            if token in ends:
                break
            if isinstance(token, str):
                if token in _ENDS_COMMAND or token in ("&&", "||", "|", "|&"):
                    self._at += 1
                    continue
                if token == ")" or token.startswith(";") or token.removeprefix("word ") in _CLOSING:
                    break
            before = self._at
            parts.append(self._read_chain(depth))
            if self._at == before:
                self._at += 1
        self._closed = self._take(*ends)
        return Block(tuple(parts))

    def _read_chain(self, depth: int) -> Node:
        first = self._read_pipeline(depth)
        rest = []
        while self._peek() in ("&&", "||"):
            sign = str(self._peek())
            self._at += 1
            while self._take("\n"):
                pass
            rest.append((sign, self._read_pipeline(depth)))
        return Chain(first, tuple(rest)) if rest else first

    def _read_pipeline(self, depth: int) -> Node:
        negated = False
        while self._take("word !", "word time"):
            negated ^= self._tokens[self._at - 1] == "word !"
        parts = [self._read_part(depth)]
        while self._take("|", "|&"):
            while self._take("\n"):
                pass
            parts.append(self._read_part(depth))
        return Pipeline(tuple(parts), negated) if len(parts) > 1 or negated else parts[0]

    def _read_part(self, depth: int) -> Node:
        if depth > _DEEPEST:
            self._at = len(self._tokens)
            return Block(())
        token = self._peek()
        if isinstance(token, SimpleCommand):
            return self._read_simple(token, depth)
        if token == "(":
            self._at += 1
            return replace(self.read_list(depth + 1, ")"), is_subshell=True)
        if token == "word {":
            self._at += 1
            return self.read_list(depth + 1, "word }")
        if token == "word function":
            self._at += 1
            return self._read_function(depth + 1)
        readers = {
            "word if": self._read_if,
            "word while": self._read_loop,
            "word until": self._read_loop,
            "word for": self._read_for,
            "word select": self._read_for,
            "word case": self._read_case,
        }
        return readers[token](depth + 1) if token in readers else Block(())

    def _read_simple(self, command: SimpleCommand, depth: int) -> Node:
        last = command.words[-1].pieces[-1][0] if command.words[-1].pieces else ""
        if self._peek(1) == "(" and len(command.words) == 1 and self._peek(2) == ")":
            return self._read_function(depth + 1)
        self._at += 1
        if self._peek() == "(" and re.search(r"\w\+?=\Z", last):
            return Simple(command, (last.rstrip("+="), self._read_array()))
        return Simple(command)

    def _read_array(self) -> tuple[ShellWord, ...]:
        self._at += 1
        words: list[ShellWord] = []
        while self.has_more and not self._take(")"):
            token = self._peek()
            words += token.words if isinstance(token, SimpleCommand) else ()
            self._at += 1
        return tuple(words)

    def _read_function(self, depth: int) -> Node:
        token = self._peek()
        self._at += 1
        if self._take("("):
            self._take(")")
        while self._take("\n"):
            pass
        name = token.words[0].literal if isinstance(token, SimpleCommand) else ""
        return Function(name, self._read_part(depth))

    def _read_if(self, depth: int) -> Node:
        branches = []
        while self._take("word if", "word elif"):
            condition = self.read_list(depth, "word then")
            branches.append((condition, self.read_list(depth)))
        otherwise = self.read_list(depth) if self._take("word else") else Block(())
        self._take("word fi")
        return If(tuple(branches), otherwise)

    def _read_loop(self, depth: int) -> Node:
        word = str(self._peek()).removeprefix("word ")
        self._at += 1
        condition = self.read_list(depth, "word do")
        return Loop(word, condition, self.read_list(depth, "word done"))

    def _read_for(self, depth: int) -> Node:
        self._at += 1
        token = self._peek()
        if not isinstance(token, SimpleCommand):  # for ((…; …; …))
            self.read_list(depth, "word do")
            while self.has_more and not self._take("word do"):
                self._at += 1
            return Block((self.read_list(depth, "word done"),))
        self._at += 1
        words = token.words
        named = len(words) > 1 and words[1].literal == "in"
        while self._take(";", "\n"):
            pass
        self._take("word do")
        body = self.read_list(depth, "word done")
        values = tuple(words[2:]) if named else None
        return ForLoop(token, words[0].literal, values, body, self._closed)

    def _read_case(self, depth: int) -> Node:
        self._at += 1
        token = self._peek()
        if not isinstance(token, SimpleCommand):
            return Block(())
        self._at += 1
        pending, branches = list(token.words[2:]), list[tuple[tuple[ShellWord, ...], Block]]()
        while self.has_more and not self._take("word esac"):
            each = self._peek()
            if each == ")":
                self._at += 1
                body = self.read_list(depth)
                branches.append((tuple(pending), body))
                pending = []
                if self.has_more and str(self._peek()).startswith(";") and isinstance(self._peek(), str):
                    self._at += 1
                continue
            if isinstance(each, SimpleCommand):
                pending += each.words
            elif each not in ("\n", "|", "(", ";"):
                break
            self._at += 1
        return Case(token, token.words[0], tuple(branches))
