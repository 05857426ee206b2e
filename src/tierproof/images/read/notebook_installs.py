"""Every install that a notebook asks for, in the order of its cells. Nothing is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tierproof.core.credentials import hide_credentials
from tierproof.guard.commands.notebook_magics import tell_magic_command
from tierproof.guard.commands.pip_command import Action, PipCommand, Program, mentions_installer, read_command
from tierproof.guard.commands.pip_options import read_options
from tierproof.guard.commands.shell_script import ProgramCall, follow_script, follow_words
from tierproof.images.read.cell_code import CellCode, ShellLine, part_cell
from tierproof.images.read.constant_value import NotConstant, evaluate
from tierproof.images.read.found_install import FoundInstall, UnreadInstall
from tierproof.images.read.notebook_file import CodeCell
from tierproof.images.read.python_commands import PythonCommand, PythonFollower

# Stands in a command for what cannot be told; no requirement has such a character.
_UNKNOWN = "\ufffd"
_EXPRESSION = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|\$\$|(?<!\\)\$([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")
_FIELD = re.compile(r"\{[^{}]+\}")
_BOUND = re.compile(r"=?\s*v?\d[\w.*]*\Z")
_LONGEST = 300


@dataclass(slots=True)
class _Found:
    """What was found so far, in order."""

    folder: Path
    installs: list[FoundInstall] = field(default_factory=list)
    unread: list[UnreadInstall] = field(default_factory=list)

    def add_calls(
        self, calls: Iterator[ProgramCall], text: str, cell: int, line: int, conditional: bool
    ) -> None:
        for call in calls:
            at = line + text.count("\n", 0, call.start) if text else line
            self._add_call(call, cell, at, conditional or call.is_conditional)

    def _add_call(self, call: ProgramCall, cell: int, line: int, conditional: bool) -> None:
        command = _read_own(call) or read_command(call.words, call.environment, call.folder)
        if command is None or not command.changes_packages:
            return
        text = _shorten(" ".join(call.words))
        if any(_UNKNOWN in word for word in call.words):
            shown = text.replace(_UNKNOWN, "…")
            self.unread.append(
                UnreadInstall(shown, "what it installs is only known when it runs", cell, line)
            )
            return
        if any(prefix.rpartition("/")[2] == "xargs" for prefix in call.prefixes):
            self.unread.append(
                UnreadInstall(text, "what xargs passes on is only known when it runs", cell, line)
            )
        for each in call.redirections:
            if each.is_attached and each.sign == "<" and _BOUND.match(each.target):
                reason = f"the shell reads `<{each.target}` as an input file, not as a bound: quote the requirement"
                self.unread.append(UnreadInstall(text, reason, cell, line, is_judged=True))
                return
            if each.is_attached and each.sign in (">", ">>") and _BOUND.match(each.target):
                shown = f"`{each.sign}{each.target}`"
                reason = f"the shell reads {shown} as an output file, not as a bound: quote the requirement"
                self.unread.append(UnreadInstall(text, reason, cell, line, is_judged=True))
        command = replace(command, folder=str(self.folder / command.folder), text=" ".join(call.words))
        for name in (*command.requirement_files, *command.constraint_files):
            if not (Path(command.folder) / name).is_file() and "://" not in name:
                reason = f"{name} is not next to the notebook; the notebook may fetch it when it runs"
                self.unread.append(UnreadInstall(text, reason, cell, line))
        kept = tuple(n for n in command.requirement_files if (Path(command.folder) / n).is_file())
        bounds = tuple(n for n in command.constraint_files if (Path(command.folder) / n).is_file())
        command = replace(command, requirement_files=kept, constraint_files=bounds)
        if command.requirements or command.editables or kept or command.action is not Action.INSTALL:
            self.installs.append(FoundInstall(command, text, cell, line, conditional))


def find_installs(
    cells: Sequence[CodeCell], folder: Path
) -> tuple[tuple[FoundInstall, ...], tuple[UnreadInstall, ...]]:
    """Give the installs of a notebook, and what may be one and could not be read.

    Args:
        cells: in their order.
        folder: of the notebook, from which its relative paths start.
    """
    found, follower = _Found(folder), PythonFollower()
    for cell in cells:
        code = part_cell(cell.source)
        if code.script:
            calls = follow_script(code.script, {}, lambda _: _UNKNOWN)
            found.add_calls(calls, code.script, cell.number, code.script_line, False)
        else:
            _read_python(code, cell, follower, found)
    for name in sorted(set(follower.functions) - follower.called):
        for command in follower.follow_uncalled(name):
            _add_command(command, (), follower.defined_in.get(name, 0), found)
    return tuple(found.installs), tuple(found.unread)


def _read_python(code: CellCode, cell: CodeCell, follower: PythonFollower, found: _Found) -> None:
    known = set(follower.functions)
    try:
        tree = ast.parse(code.python)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        for each in code.shell_lines:
            _add_shell_line(each, follower.names, cell.number, False, found)
        if mentions_installer(code.python) and re.search(r"\b(subprocess|system|main)\b", code.python):
            found.unread.append(UnreadInstall("", "the cell is not valid Python", cell.number))
        return
    for command in follower.follow(tree):
        _add_command(command, code.shell_lines, cell.number, found)
    for name in set(follower.functions) - known:
        follower.defined_in[name] = cell.number
        # Its shell lines are looked up when it is called, perhaps in another cell: put their text in now.
        follower.functions[name] = _inline(follower.functions[name], code.shell_lines)


def _inline(function: ast.FunctionDef, lines: Sequence[ShellLine]) -> ast.FunctionDef:
    """Replace the placeholders in a function by calls that carry their text."""
    for call in (each for each in ast.walk(function) if isinstance(each, ast.Call)):
        match call:
            case ast.Call(func=ast.Name(id="__shell_line__"), args=[ast.Constant(value=int(index))]):
                line = lines[index]
                ipython = ast.Call(ast.Name("get_ipython"), [], [])
                if line.sign.startswith("!"):
                    call.func, call.args = ast.Attribute(ipython, "system"), [_as_template(line.text)]
                else:
                    call.func, call.args = ast.Attribute(ipython, "magic"), [_as_template(line.text)]
    return ast.fix_missing_locations(function)


def _as_template(text: str) -> ast.expr:
    """Give shell text as an f-string, so that a function's parameters are put in where it is called."""
    parts: list[ast.expr] = []
    at = 0
    for match in _EXPRESSION.finditer(text):
        inner = match[1] or match[2]
        if not inner:
            continue
        try:
            value = ast.parse(inner, mode="eval").body
        except (SyntaxError, ValueError):
            continue
        parts += [ast.Constant(text[at : match.start()]), ast.FormattedValue(value, -1)]
        at = match.end()
    return ast.JoinedStr([*parts, ast.Constant(text[at:])])


def _add_command(command: PythonCommand, lines: Sequence[ShellLine], cell: int, found: _Found) -> None:
    if command.shell_line is not None:
        if command.shell_line < len(lines):
            _add_shell_line(lines[command.shell_line], command.names, cell, command.conditional, found)
    elif command.unknown:
        if mentions_installer(command.unknown):
            reason = "what it runs is only known at run time"
            found.unread.append(UnreadInstall(_shorten(command.unknown), reason, cell, command.line))
    elif command.magic is not None:
        told = tell_magic_command(*command.magic, "python") or _tell_own_magic(*command.magic)
        calls = follow_script(told, {}, lambda _: _UNKNOWN)
        found.add_calls(calls, "", cell, command.line, command.conditional)
    elif command.words:
        found.add_calls(follow_words(command.words, {}), "", cell, command.line, command.conditional)
    else:
        calls = follow_script(command.text, {}, lambda _: _UNKNOWN)
        found.add_calls(calls, "", cell, command.line, command.conditional)


def _add_shell_line(
    line: ShellLine, names: Mapping[str, Any], cell: int, conditional: bool, found: _Found
) -> None:
    text = _expand(line.text, names)
    if line.sign == "%":
        name, _, rest = text.partition(" ")
        text = tell_magic_command(name, rest, "python") or _tell_own_magic(name, rest)
    calls = follow_script(text, {}, lambda _: _UNKNOWN)
    found.add_calls(calls, "", cell, line.line, conditional)


def _tell_own_magic(name: str, line: str) -> str:
    """Give the command that `%conda`, `%mamba` or `%tierproof` runs; that of `%time !pip …` as well."""
    if name in ("conda", "mamba", "micromamba", "tierproof"):
        return f"{name} {line}"
    if name == "shell":  # Colab's
        return line
    if name in ("time", "timeit", "capture", "prun"):
        sign, rest = line.strip()[:1], line.strip()[1:].lstrip("!% ")
        inner, _, words = rest.partition(" ")
        if sign == "!":
            return rest
        return (
            tell_magic_command(inner, words, "python") or _tell_own_magic(inner, words) if sign == "%" else ""
        )
    return ""


def _expand(text: str, names: Mapping[str, Any]) -> str:
    """Put Python's values in for `{expression}` and `$name`, as IPython does before a shell sees the line."""

    def put_in(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}", "$$"):
            return match[0][0]
        told = match[1] or match[2]
        # Between single quotes, `$` is left to the shell; a name that Python does not know is the shell's.
        field = _FIELD.search(text, match.end())  # IPython counts the quotes up to the next `{…}`
        is_quoted = match[2] and text.count("'", match.end(), field.start() if field else len(text)) % 2
        if is_quoted or (match[2] and told.partition(".")[0] not in (*names, "sys")):
            return match[0]
        try:
            value = evaluate(ast.parse(told.strip(), mode="eval").body, names)
        except NotConstant:
            return _UNKNOWN
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return match[0]
        return " ".join(map(str, value)) if isinstance(value, list) else str(value)

    return _EXPRESSION.sub(put_in, text)


def _read_own(call: ProgramCall) -> PipCommand | None:
    """Read `tierproof install …` as the install that it is."""
    if call.words[:1] != ("tierproof",) or call.words[1:2] != ("install",):
        return None
    read = read_options(call.words[2:])
    skipped = {value for name, value in read.options if name in ("waive", "allow-build")}
    return PipCommand(
        Program.PIP,
        Action.INSTALL,
        requirements=tuple(word for word in read.operands if word not in skipped),
        requirement_files=read.all("requirement"),
    )


def _shorten(text: str) -> str:
    return hide_credentials(" ".join(text.split()))[:_LONGEST]
