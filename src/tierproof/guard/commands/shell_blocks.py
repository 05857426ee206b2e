"""Whether a command of a shell script is certain to run, or stands in an `if`, a loop, a function or behind `&&`."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SEPARATOR = re.compile(r"&&|\|\||\(\)|.", re.DOTALL)
_OPENING = ("if", "while", "until", "for", "case", "select")
_CLOSING = ("fi", "done", "esac", "}")
_MARKS = ("then", "else", "elif", "do", "!", "time", "{")


class ShellBlocks:
    """Follows the blocks that commands stand in, one command after the other.

    Args:
        is_conditional: the whole script may not run.
    """

    def __init__(self, is_conditional: bool = False) -> None:
        self._enclosing = [("", is_conditional)]
        self._is_chained = False
        self._begins_function = False

    def place(self, before: str, words: Sequence[str]) -> bool:
        """Take the next command in; tell whether it may not run.

        Args:
            before: the separators between the command before and this one.
            words: of the command.
        """
        for separator in _SEPARATOR.findall(before):
            self._pass(separator)
        for word in words:
            if word in _OPENING:
                self._enclosing.append((word, True))
            elif word == "{":
                self._enclosing.append((word, self._is_uncertain() or self._begins_function))
                self._is_chained = self._begins_function = False
            elif word in _CLOSING:
                self._leave()
            if word not in _MARKS and word not in _OPENING:
                break
        return self._is_uncertain()

    def _is_uncertain(self) -> bool:
        return self._enclosing[-1][1] or self._is_chained

    def _pass(self, separator: str) -> None:
        self._begins_function = separator == "()" or (separator == "\n" and self._begins_function)
        if separator in ("&&", "||"):
            self._is_chained = True
        elif separator in (";", "\n", "&"):
            self._is_chained = False
        elif separator == "(":
            self._enclosing.append((separator, self._is_uncertain()))
            self._is_chained = False
        elif separator == ")" and self._enclosing[-1][0] == "(":  # a pattern of `case` ends with one too
            self._leave()

    def _leave(self) -> None:
        if len(self._enclosing) > 1:
            self._enclosing.pop()
