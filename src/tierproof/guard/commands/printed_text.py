"""What `echo`, `printf`, `cat` and `which` print, where their words tell it: of `which pip` the name will do."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence

_ESCAPE = re.compile(r"\\([\\nrt\"'])")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_FIELD = re.compile(r"%[-0-9.]*([sdbq%])")
_MOST_ROUNDS = 100


def tell_printed(
    words: Sequence[str], given: str | None, read_file: Callable[[str], str | None]
) -> str | None:
    """Return what a program prints; None where that is not known.

    Args:
        words: the program and its arguments.
        given: its standard input; None where that is not known.
        read_file: gives the text of a file; None for one that cannot be read.
    """
    if not words:
        return None
    name, rest = os.path.basename(words[0]), list(words[1:])  # noqa: PTH119 - a word, no file
    operands = [word for word in rest if not word.startswith("-") or word == "-"]
    match name:
        case "echo":
            while rest and re.match(r"-[neE]+\Z", rest[0]):
                rest.pop(0)
            return _unescape(" ".join(rest)) + "\n"
        case "printf":
            return _format([word for word in rest if word != "--"])
        case "cat" if operands:
            texts = [given if word == "-" else read_file(word) for word in operands]
            return None if None in texts else "".join(text for text in texts if text is not None)
        case "cat" | "tee":
            return given
        case "which" | "type" | "command":
            return "\n".join(operands) + "\n"
    return None


def _format(words: list[str]) -> str | None:
    if not words:
        return None
    form, values = _unescape(words[0]), words[1:]
    told = ""
    for _ in range(_MOST_ROUNDS):
        left = list(values)
        told += _FIELD.sub(lambda field: "%" if field[1] == "%" else (left.pop(0) if left else ""), form)  # noqa: B023
        if not left or len(left) == len(values):
            break
        values = left
    return told


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), text)
