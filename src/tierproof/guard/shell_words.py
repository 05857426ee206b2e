"""Shell text as people type it, split into simple commands. Nothing is run; what cannot be known stays empty."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?::?-([^}]*))?\}|\{[^}]*\}|([A-Za-z_]\w*)|[@*#?$!0-9-])")
_SEPARATORS = ";&|()\n"


class _Quote(Enum):
    NONE = auto()
    DOUBLE = auto()
    WHOLE = auto()  # single quotes, or after a backslash: nothing is expanded


@dataclass(slots=True)
class ShellWord:
    """One word as written: pieces of text, each with its quotes."""

    pieces: list[tuple[str, _Quote]] = field(default_factory=list)

    def add(self, text: str, quote: _Quote = _Quote.NONE) -> None:
        """Append text; neighbours of one kind become one piece."""
        if self.pieces and self.pieces[-1][1] is quote:
            self.pieces[-1] = (self.pieces[-1][0] + text, quote)
        else:
            self.pieces.append((text, quote))

    def expand(self, variables: Mapping[str, str]) -> list[str]:
        """Give the words that a shell makes of it: none for an unset variable, several for one with spaces."""
        words: list[str] = []
        current: str | None = None
        for text, quote in self.pieces:
            told = text if quote is _Quote.WHOLE else expand_variables(text, variables)
            if quote is not _Quote.NONE or told == text:
                current = (current or "") + told
                continue
            fields = told.split()
            if current is not None and told[:1].isspace():
                words.append(current)
                current = None
            for number, each in enumerate(fields):
                if number:
                    words.append(current or "")
                    current = None
                current = (current or "") + each
        return [*words, current] if current is not None else words


@dataclass(frozen=True, slots=True)
class SimpleCommand:
    """A program with its arguments, or a substitution's or here-document's place in the text."""

    words: tuple[ShellWord, ...]


def expand_variables(text: str, variables: Mapping[str, str]) -> str:
    """Put values in for `$NAME`, `${NAME}` and `${NAME:-default}`; nothing for what is unset."""

    def replace(match: re.Match[str]) -> str:
        name = match[1] or match[3]
        return variables.get(name, match[2] or "") if name else ""

    return _VARIABLE.sub(replace, text)


def split_commands(text: str) -> Iterator[SimpleCommand]:
    """Yield the simple commands of `text` in order; those inside `$(…)` and backticks come first.

    Redirections, comments and here-documents are left out. Text that no shell could read is read as far as
    it goes: a quote without its partner is an ordinary character.
    """
    yield from _Scanner(text).scan()


class _Scanner:
    """Reads shell text from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._words: list[ShellWord] = []
        self._word: ShellWord | None = None
        self._drops_next = False
        self._takes_delimiter = False
        self._delimiters: list[str] = []

    def scan(self) -> Iterator[SimpleCommand]:
        while self._at < len(self._text):
            character = self._text[self._at]
            if character in _SEPARATORS and not self._is_redirection():
                yield from self._end_command()
                self._at += 1
                if character == "\n":
                    self._skip_here_documents()
            elif character == "`" or self._text.startswith("$(", self._at):
                yield from self._read_substitution(_Quote.NONE)
            elif character == '"':
                yield from self._read_double_quotes()
            else:
                self._read_plain(character)
        yield from self._end_command()

    def _read_plain(self, character: str) -> None:
        if character == "\\":
            following = self._text[self._at + 1 : self._at + 2]
            if following == "\r":
                following = self._text[self._at + 1 : self._at + 3]
            if not following.endswith("\n"):
                self._open().add(following, _Quote.WHOLE)
            self._at += 1 + len(following)
        elif character == "'":
            self._read_single_quotes()
        elif character == "#" and self._word is None:
            end = self._text.find("\n", self._at)
            self._at = len(self._text) if end < 0 else end
        elif character in " \t\r\f\v":
            self._end_word()
            self._at += 1
        elif character in "<>&":
            self._read_redirection()
        else:
            self._open().add(character)
            self._at += 1

    def _open(self) -> ShellWord:
        if self._word is None:
            self._word = ShellWord()
        return self._word

    def _end_word(self) -> None:
        word, self._word = self._word, None
        if word is None:
            return
        if self._drops_next:
            if self._takes_delimiter:
                self._delimiters.append("".join(text for text, _ in word.pieces))
            self._drops_next = self._takes_delimiter = False
            return
        self._words.append(word)

    def _end_command(self) -> Iterator[SimpleCommand]:
        self._end_word()
        words, self._words = tuple(self._words), []
        self._drops_next = self._takes_delimiter = False
        if words:
            yield SimpleCommand(words)

    def _is_redirection(self) -> bool:
        return self._text.startswith("&>", self._at)

    def _read_redirection(self) -> None:
        if self._word is not None and all(text.isdigit() for text, _ in self._word.pieces):
            self._word = None  # the number of a stream, as in 2>
        self._end_word()
        match = re.compile(r"&>>?|<<<|<<-?|>>|>\||[<>]&?").match(self._text, self._at)
        sign = match[0] if match else self._text[self._at]
        self._at += len(sign)
        if self._text.startswith("(", self._at):  # <(…): its commands are read as any
            return
        self._drops_next, self._takes_delimiter = True, sign in ("<<", "<<-")

    def _skip_here_documents(self) -> None:
        for delimiter in self._delimiters:
            while self._at < len(self._text):
                end = self._text.find("\n", self._at)
                end = len(self._text) if end < 0 else end
                line = self._text[self._at : end]
                self._at = end + 1
                if line.strip("\t\r ") == delimiter:
                    break
        self._delimiters.clear()

    def _read_single_quotes(self) -> None:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            self._open().add("'", _Quote.WHOLE)
            self._at += 1
            return
        self._open().add(self._text[self._at + 1 : end], _Quote.WHOLE)
        self._at = end + 1

    def _read_double_quotes(self) -> Iterator[SimpleCommand]:
        if not re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL).match(self._text, self._at):
            self._open().add('"', _Quote.WHOLE)
            self._at += 1
            return
        word = self._open()
        word.add("", _Quote.DOUBLE)
        self._at += 1
        while self._at < len(self._text) and self._text[self._at] != '"':
            if self._text[self._at] == "\\":
                escaped = self._text[self._at + 1 : self._at + 2]
                if escaped != "\n":
                    word.add(escaped if escaped in '"\\$`' else f"\\{escaped}", _Quote.WHOLE)
                self._at += 2
            elif self._text[self._at] == "`" or self._text.startswith("$(", self._at):
                yield from self._read_substitution(_Quote.DOUBLE)
            else:
                word.add(self._text[self._at], _Quote.DOUBLE)
                self._at += 1
        self._at += 1

    def _read_substitution(self, quote: _Quote) -> Iterator[SimpleCommand]:
        opening = 1 if self._text[self._at] == "`" else 2
        start = self._at + opening
        end = self._text.find("`", start) if opening == 1 else _find_closing(self._text, start)
        if end < 0:
            self._open().add(self._text[self._at], _Quote.WHOLE)
            self._at += 1
            return
        self._open().add("", quote)  # what it prints cannot be known
        yield from split_commands(self._text[start:end])
        self._at = end + 1


def _find_closing(text: str, start: int) -> int:
    depth, quote = 1, ""
    for at in range(start, len(text)):
        character = text[at]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
            if not depth:
                return at
    return -1
