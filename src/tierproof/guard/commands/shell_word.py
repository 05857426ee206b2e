"""One word of shell text, and the words that a shell makes of it: variables, `"$@"` and `{a,b}` written out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

_VARIABLE = re.compile(
    r"\$(?:\{([A-Za-z_]\w*(?:\[[@*]\])?|[@*#0-9])(?::?-([^}]*))?\}|\{[^}]*\}|([A-Za-z_]\w*|[@*#0-9])|[?$!-])"
)
_ALL_PARAMETERS = re.compile(r"\$(?:@|\{(@|[A-Za-z_]\w*\[@\])\})\Z")
# Between the parameters that `"$@"` stands for.
PARAMETER_SEPARATOR = "\x1f"


class Quote(Enum):
    """How a piece of a word is quoted."""

    NONE = auto()
    DOUBLE = auto()
    WHOLE = auto()  # single quotes, or after a backslash: nothing is expanded
    PRINTED = auto()  # what a `$(…)` prints
    PRINTED_WHOLE = auto()  # the same in double quotes
    FED = auto()  # the file that a `<(…)` gives


def _leave_empty(_: str) -> str:
    return ""


@dataclass(slots=True)
class ShellWord:
    """One word as written: pieces of text, each with its quotes."""

    pieces: list[tuple[str, Quote]] = field(default_factory=list)

    def add(self, text: str, quote: Quote = Quote.NONE) -> None:
        """Append text; neighbours of one kind become one piece."""
        if self.pieces and self.pieces[-1][1] is quote:
            self.pieces[-1] = (self.pieces[-1][0] + text, quote)
        else:
            self.pieces.append((text, quote))

    def expand(
        self, variables: Mapping[str, str], tell_unset: Callable[[str], str] = _leave_empty
    ) -> list[str]:
        """Return the words that a shell makes of it: none for an unset variable, several for one with spaces.

        Args:
            variables: the shell's.
            tell_unset: what to put in for a `$NAME` that is not among them, and for a `$(command)`.
        """
        made = _Words()
        for text, quote in self._expand_braces():
            if text is _BREAK:
                made.end()
            elif quote is Quote.DOUBLE and (match := _ALL_PARAMETERS.match(text)):
                told = variables.get(match[1] or "@", "")
                made.add_all(told.split(PARAMETER_SEPARATOR) if told else [])
            else:
                made.add(*_tell_piece(text, quote, variables, tell_unset))
        return made.finish()

    def _expand_braces(self) -> list[tuple[str, Quote]]:
        """The pieces with `{a,b}` written out as several words, with a break between each two."""
        plain = "".join(text for text, quote in self.pieces if quote is Quote.NONE)
        if "{" not in plain or "," not in plain:
            return self.pieces
        marked = [
            (character, quote)
            for text, quote in self.pieces
            for character in (text if quote is Quote.NONE else [text])
        ]
        result: list[tuple[str, Quote]] = []
        for number, spelled in enumerate(_spell_braces(marked, _MOST_SPELLED)):
            if number:
                result.append((_BREAK, Quote.NONE))
            for text, quote in spelled:
                if result and result[-1][1] is quote is Quote.NONE and result[-1][0] is not _BREAK:
                    result[-1] = (result[-1][0] + text, quote)
                else:
                    result.append((text, quote))
        return result

    @property
    def literal(self) -> str:
        """The word where nothing in it is quoted or expanded; else empty. Keywords are such words."""
        if len(self.pieces) != 1 or self.pieces[0][1] is not Quote.NONE or "$" in self.pieces[0][0]:
            return ""
        return self.pieces[0][0]


class _Words:
    """Words in the making: the last one is open, and is continued by what comes next."""

    def __init__(self) -> None:
        self._words: list[str] = []
        self._current: str | None = None

    def end(self) -> None:
        if self._current is not None:
            self._words.append(self._current)
        self._current = None

    def add(self, told: str, is_split: bool) -> None:
        """Continue the open word; where the text is split, its spaces end words."""
        if not is_split:
            self._current = (self._current or "") + told
            return
        if told[:1].isspace():
            self.end()
        self.add_all(told.split())

    def add_all(self, fields: list[str]) -> None:
        """Continue the open word by the first field; the others are words of their own."""
        for number, each in enumerate(fields):
            if number:
                self.end()
            self._current = (self._current or "") + each

    def finish(self) -> list[str]:
        self.end()
        return self._words


def _tell_piece(
    text: str, quote: Quote, variables: Mapping[str, str], tell_unset: Callable[[str], str]
) -> tuple[str, bool]:
    """What a piece stands for, and whether the shell splits it at spaces."""
    if quote in (Quote.PRINTED, Quote.PRINTED_WHOLE):
        told = tell_unset(text)
    elif quote in (Quote.WHOLE, Quote.FED):
        told = text
    else:
        told = expand_variables(text, variables, tell_unset)
    return told, quote in (Quote.NONE, Quote.PRINTED) and told != text


_Marked = list[tuple[str, Quote]]
_MOST_SPELLED = 64
_BREAK = "".join(["\0", "break"])


def _spell_braces(marked: _Marked, most: int) -> list[_Marked]:
    """Write out the first `{a,b}` of a word, and then those in what came of it."""
    for start, (opening, quote) in enumerate(marked):
        if opening != "{" or quote is not Quote.NONE or (start and marked[start - 1] == ("$", Quote.NONE)):
            continue
        depth, parts, begin = 0, list[_Marked](), start + 1
        for at in range(start, len(marked)):
            character = marked[at][0] if marked[at][1] is Quote.NONE else ""
            depth += (character == "{") - (character == "}")
            if (character == "," and depth == 1) or not depth:
                parts.append(marked[begin:at])
                begin = at + 1
            if not depth:
                if len(parts) < 2 or len(parts) > most:
                    break
                heads, tail = marked[:start], marked[at + 1 :]
                spelled = [
                    each
                    for part in parts
                    for each in _spell_braces([*heads, *part, *tail], most // len(parts))
                ]
                return spelled if len(spelled) <= most else [marked]
    return [marked]


def expand_variables(
    text: str, variables: Mapping[str, str], tell_unset: Callable[[str], str] = _leave_empty
) -> str:
    """Put values in for `$NAME`, `${NAME}` and `${NAME:-default}`; what `tell_unset` says for what is unset."""

    def replace(match: re.Match[str]) -> str:
        name = match[1] or match[3]
        if name in variables:
            return variables[name].replace(PARAMETER_SEPARATOR, " ")
        return tell_unset(match[0]) if match[2] is None else match[2]

    return _VARIABLE.sub(replace, text)
