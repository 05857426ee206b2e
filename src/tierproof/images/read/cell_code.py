"""Split a cell into shell lines, magics and Python code, each with its line number."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tierproof.guard.commands.notebook_magics import SCRIPT_MAGICS

# A Python call that stands in for a shell line, so that what surrounds it can be parsed.
PLACEHOLDER = "__shell_line__"
_CELL_MAGIC = re.compile(r"\s*%%\s*([\w!]+)[ \t]*(.*)")
# These run the rest of the cell as Python.
_PYTHON_MAGICS = frozenset({"capture", "time", "timeit", "prun", "python", "python3", "pypy", "debug"})
_WRITING_MAGICS = frozenset({"writefile", "file"})
_SHELL_LINE = re.compile(
    r"(?P<indent>[ \t]*)(?P<assigned>[A-Za-z_][\w, \t]*=[ \t]*)?(?P<sign>!{1,2}|%(?![%=])[ \t]*)(?P<told>.*)"
)
# IPython takes a line that begins with a magic's name for that magic.
_AUTOMAGIC = re.compile(
    r"(?P<indent>)(?P<assigned>)(?P<sign>)(?P<told>(pip|uv|conda|mamba)[ \t]+[a-z].*|cd[ \t]+[\w./~{].*)"
)
_PROMPT = re.compile(r"\s*(?:>>> ?|\.\.\. ?|In \[\d+\]: ?|\s*\.\.\.+: ?)")
_QUOTES = re.compile(r"'''|\"\"\"|'|\"")


@dataclass(frozen=True, slots=True)
class ShellLine:
    """A line that begins with `!` or `%`: its number in the cell, its sign, and the text after it."""

    line: int
    sign: str
    text: str


@dataclass(frozen=True, slots=True)
class CellCode:
    """One cell.

    Attributes:
        python: its Python, each shell line replaced by a call of `PLACEHOLDER` with its index.
        shell_lines: in their order.
        script: the body of a cell that is a shell script as a whole; then the others are empty.
        script_line: number of its first line.
        file: the name of the file that the cell writes as a whole; then `script` is its text.
        is_appended: that text comes behind what the file holds.
    """

    python: str = ""
    shell_lines: tuple[ShellLine, ...] = ()
    script: str = ""
    script_line: int = 0
    file: str = ""
    is_appended: bool = False


def part_cell(source: str) -> CellCode:
    """Split the text of a code cell. The body of an unknown cell magic is ignored."""
    lines = _strip_prompts(source.replace("\r\n", "\n").split("\n"))
    first = 0
    while first < len(lines):
        line = lines[first]
        match = _CELL_MAGIC.match(line)
        if match is None:
            if line.strip() and not line.lstrip().startswith("#"):
                break
        elif match[1] in SCRIPT_MAGICS:
            words = [word for word in match[2].split() if not word.startswith("-")]
            if match[1] == "script" and words and not re.search(r"sh\Z", words[0]):
                return CellCode()
            return CellCode(script="\n".join(lines[first + 1 :]), script_line=first + 2)
        elif match[1] in _WRITING_MAGICS:
            words = match[2].split()
            names = [word.strip("\"'") for word in words if not word.startswith("-")]
            text = "\n".join(lines[first + 1 :]) + "\n"
            return CellCode(
                script=text, file=" ".join(names), is_appended="-a" in words or "--append" in words
            )
        elif match[1] not in _PYTHON_MAGICS:
            return CellCode()
        first += 1
    return _part_python(lines, first)


def _strip_prompts(lines: list[str]) -> list[str]:
    """Take away the prompts of a session that was pasted into a cell, as IPython does."""
    return [_PROMPT.sub("", line) for line in lines] if lines and _PROMPT.match(lines[0]) else lines


def _part_python(lines: list[str], first: int) -> CellCode:
    python, found = [""] * first, list[ShellLine]()
    scanner = _Scanner()
    at = first
    while at < len(lines):
        match = (
            (_SHELL_LINE.match(lines[at]) or _AUTOMAGIC.match(lines[at])) if scanner.at_statement else None
        )
        if match is None:
            scanner.read(lines[at])
            python.append(lines[at])
            at += 1
            continue
        start, told = at, match["told"]
        while told.endswith("\\") and at + 1 < len(lines):
            at += 1
            told = f"{told[:-1]} {lines[at].strip()}"
        sign = match["sign"].strip() or "%"
        python.append(f"{match['indent']}{match['assigned'] or ''}{PLACEHOLDER}({len(found)})")
        python += [""] * (at - start)
        found.append(ShellLine(start + 1, sign, told.strip()))
        at += 1
    return CellCode("\n".join(python), tuple(found))


class _Scanner:
    """Follows Python text line by line: strings, brackets and continued lines."""

    def __init__(self) -> None:
        self._quote = ""
        self._depth = 0
        self._continued = False

    @property
    def at_statement(self) -> bool:
        """Whether the next line begins a statement."""
        return not (self._quote or self._depth or self._continued)

    def read(self, line: str) -> None:
        at = 0
        while at < len(line):
            if self._quote:
                at = self._skip_string(line, at)
                continue
            character = line[at]
            if character == "#":
                break
            if match := _QUOTES.match(line, at):
                self._quote = match[0]
                at = match.end()
                continue
            self._depth = max(0, self._depth + (character in "([{") - (character in ")]}"))
            at += 1
        if len(self._quote) == 1 and not line.endswith("\\"):  # it had no partner: no Python
            self._quote = ""
        self._continued = not self._quote and line.endswith("\\")

    def _skip_string(self, line: str, at: int) -> int:
        while at < len(line):
            if line[at] == "\\":
                at += 2
            elif line.startswith(self._quote, at):
                at += len(self._quote)
                self._quote = ""
                return at
            else:
                at += 1
        return at
