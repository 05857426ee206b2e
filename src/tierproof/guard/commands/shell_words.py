"""Shell text as people type it, split into simple commands. Nothing is run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tierproof.guard.commands.shell_word import Quote, ShellWord

_SEPARATORS = ";&|()\n"
_PLAIN = re.compile(r"[^\s;&|()<>\"'`$\\#]+")
_PLAIN_IN_QUOTES = re.compile(r"[^\"\\`$]+")
_DOUBLE_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_REDIRECTION = re.compile(r"&>>?|<<<|<<-?|>>|>\||[<>]&?")
_MOST_UNCLOSED = 50  # each is looked for through the whole text


@dataclass(frozen=True, slots=True)
class Redirection:
    """A redirection as written: `>` with its file.

    Attributes:
        sign: `>`, `<`, `2>&`'s `>&`, …
        target: the file, quotes taken off.
        is_attached: no space stands between the word before and the sign.
        text: of a here-document, as written; else empty.
        word: the file as it was written.
    """

    sign: str
    target: str
    is_attached: bool
    text: str = ""
    word: ShellWord = field(default_factory=ShellWord, compare=False)


@dataclass(frozen=True, slots=True)
class SimpleCommand:
    """A program with its arguments, or a substitution's or here-document's place in the text.

    Attributes:
        words: as written.
        redirections: in their order.
        before: the separators between the command before and this one, such as `;` or `&&(`.
        start: offset of its first word in the text.
        end: offset behind its last word or redirection.
        inner: the scripts of its `$(…)`, backticks and `<(…)`, in their order.
    """

    words: tuple[ShellWord, ...]
    redirections: tuple[Redirection, ...] = ()
    before: str = ""
    start: int = 0
    end: int = 0
    inner: tuple[str, ...] = ()


def split_commands(text: str) -> Iterator[SimpleCommand]:
    """Yield the simple commands of `text` in order; those inside `$(…)`, backticks and `<(…)` stay text of theirs.

    Comments are left out. Text that no shell could read is read as far as it goes: a quote without its partner is
    an ordinary character.
    """
    yield from _Scanner(text).scan()


class _Scanner:
    """Reads shell text from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._start = self._end = -1
        self._before = ""
        self._words: list[ShellWord] = []
        self._word: ShellWord | None = None
        self._redirections: list[Redirection] = []
        self._pending: tuple[str, bool] | None = None  # a redirection whose file is read next
        self._delimiters: list[str] = []
        self._inner: list[str] = []
        self._unclosed = 0

    def scan(self) -> Iterator[SimpleCommand]:
        while self._at < len(self._text):
            character = self._text[self._at]
            if character in _SEPARATORS and not self._is_redirection():
                yield from self._end_command()
                self._before += character
                self._at += 1
                if character == "\n":
                    self._skip_here_documents()
            elif character == "`" or self._text.startswith("$(", self._at):
                self._read_substitution(Quote.PRINTED)
            elif self._text.startswith(("<(", ">("), self._at):
                self._read_substitution(Quote.FED)
            elif character == '"':
                self._read_double_quotes()
            elif self._text.startswith("$'", self._at):
                self._at += 1
                self._read_single_quotes()
            else:
                self._read_plain(character)
        yield from self._end_command()

    def _read_plain(self, character: str) -> None:
        if character == "\\":
            following = self._text[self._at + 1 : self._at + 2]
            if following == "\r":
                following = self._text[self._at + 1 : self._at + 3]
            if not following.endswith("\n"):
                self._open().add(following, Quote.WHOLE)
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
            run = _PLAIN.match(self._text, self._at)
            text = run[0] if run else character
            self._open().add(text)
            self._at += len(text)

    def _open(self) -> ShellWord:
        if self._word is None:
            self._word = ShellWord()
            self._note_start()
        return self._word

    def _note_start(self) -> None:
        if self._start < 0:
            self._start = self._at

    def _end_word(self) -> None:
        word, self._word = self._word, None
        if word is None:
            return
        self._end = self._at
        if self._pending is None:
            self._words.append(word)
            return
        (sign, is_attached), self._pending = self._pending, None
        target = "".join(text for text, _ in word.pieces)
        told = ""
        if sign in ("<<", "<<-"):
            told = self._peek_here_document(target)
            self._delimiters.append(target)
        self._redirections.append(Redirection(sign, target, is_attached, told, word))

    def _end_command(self) -> Iterator[SimpleCommand]:
        self._end_word()
        words, self._words = tuple(self._words), []
        redirections, self._redirections = tuple(self._redirections), []
        self._pending = None
        inner, self._inner = tuple(self._inner), []
        start, self._start = self._start, -1
        if words:
            before, self._before = self._before, ""
            yield SimpleCommand(words, redirections, before, start, self._end, inner)

    def _is_redirection(self) -> bool:
        return self._text.startswith("&>", self._at)

    def _read_redirection(self) -> None:
        is_attached = self._word is not None
        if self._word is not None and all(text.isdigit() for text, _ in self._word.pieces):
            self._word, is_attached = None, False  # the number of a stream, as in 2>
        self._end_word()
        match = _REDIRECTION.match(self._text, self._at)
        sign = match[0] if match else self._text[self._at]
        self._at += len(sign)
        self._pending = sign, is_attached

    def _peek_here_document(self, delimiter: str) -> str:
        """Return the text of a here-document that begins with the next line, behind those begun before it."""
        at = self._text.find("\n", self._at) + 1
        if not at:
            return ""
        for before in self._delimiters:
            at = self._find_end_of_document(at, before)[1]
        return self._text[at : self._find_end_of_document(at, delimiter)[0]]

    def _skip_here_documents(self) -> None:
        for delimiter in self._delimiters:
            self._at = self._find_end_of_document(self._at, delimiter)[1]
        self._delimiters.clear()

    def _find_end_of_document(self, at: int, delimiter: str) -> tuple[int, int]:
        """Return where a here-document's text ends, and where the text behind its delimiter begins."""
        while at < len(self._text):
            end = self._text.find("\n", at)
            end = len(self._text) if end < 0 else end
            if self._text[at:end].strip("\t\r ") == delimiter:
                return at, end + 1
            at = end + 1
        return min(at, len(self._text)), at

    def _read_single_quotes(self) -> None:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            self._open().add("'", Quote.WHOLE)
            self._at += 1
            return
        self._open().add(self._text[self._at + 1 : end], Quote.WHOLE)
        self._at = end + 1

    def _read_double_quotes(self) -> None:
        if not _DOUBLE_QUOTED.match(self._text, self._at):
            self._open().add('"', Quote.WHOLE)
            self._at += 1
            return
        word = self._open()
        word.add("", Quote.DOUBLE)
        self._at += 1
        while self._at < len(self._text) and self._text[self._at] != '"':
            if self._text[self._at] == "\\":
                escaped = self._text[self._at + 1 : self._at + 2]
                if escaped != "\n":
                    word.add(escaped if escaped in '"\\$`' else f"\\{escaped}", Quote.WHOLE)
                self._at += 2
            elif self._text[self._at] == "`" or self._text.startswith("$(", self._at):
                self._read_substitution(Quote.PRINTED_WHOLE)
            else:
                run = _PLAIN_IN_QUOTES.match(self._text, self._at)
                text = run[0] if run else self._text[self._at]
                word.add(text, Quote.DOUBLE)
                self._at += len(text)
        self._at += 1

    def _read_substitution(self, quote: Quote) -> None:
        opening = 1 if self._text[self._at] == "`" else 2
        start = self._at + opening
        if opening == 1:
            end = self._text.find("`", start)
        else:
            end = _find_closing(self._text, start) if self._unclosed < _MOST_UNCLOSED else -1
        if end < 0:
            self._unclosed += opening > 1
            self._open().add(self._text[self._at], Quote.WHOLE)
            self._at += 1
            return
        self._open().pieces.append((self._text[self._at : end + 1], quote))
        self._inner.append(self._text[start:end])
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
