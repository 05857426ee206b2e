"""Every install that a notebook asks for, in the order of its cells. Nothing is run."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from tierproof.guard.commands.gap import GapReason
from tierproof.guard.commands.pip_command import Action, PipCommand, Program, mentions_installer, read_command
from tierproof.guard.commands.pip_options import read_options
from tierproof.guard.commands.shell_script import ProgramCall, follow_script, follow_words
from tierproof.images.lists.hosted_service import HostedService
from tierproof.images.read.cell_code import CellCode, ShellLine, part_cell
from tierproof.images.read.changed_by_hand import HandChange, find_hand_change
from tierproof.images.read.cloned_folders import ClonedFolders
from tierproof.images.read.constant_value import CURRENT_FOLDER
from tierproof.images.read.expand_text import UNKNOWN, expand_text, leave_out_unknown, shorten
from tierproof.images.read.found_install import FoundInstall, UnreadInstall
from tierproof.images.read.line_magic import tell_line_magic
from tierproof.images.read.notebook_file import CodeCell
from tierproof.images.read.other_installer import find_other_installer
from tierproof.images.read.python_command import PythonCommand
from tierproof.images.read.python_commands import PythonFollower
from tierproof.images.read.script_call import ScriptCall, read_script_call
from tierproof.images.read.written_files import WrittenFiles, read_shell_write

_EXPRESSION = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|\$\$|(?<!\\)\$([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")
_BOUND = re.compile(r"=?\s*v?\d[\w.*]*\Z")
_DEEPEST = 3


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a command stands, and whether it runs there."""

    cell: int
    line: int
    conditional: bool = False
    skipped: str = ""


@dataclass(slots=True)
class _Found:
    """What was found so far, in order.

    Attributes:
        home: the notebook's folder.
        folder: the current folder at this point.
        files: what cells have written.
        clones: the repositories that were cloned.
    """

    home: Path
    folder: Path
    host: HostedService
    files: WrittenFiles = field(default_factory=WrittenFiles)
    clones: ClonedFolders = field(default_factory=ClonedFolders)
    installs: list[FoundInstall] = field(default_factory=list)
    unread: list[UnreadInstall] = field(default_factory=list)

    def add_calls(self, calls: Iterable[ProgramCall], text: str, place: _Place, depth: int = 0) -> None:
        for call in calls:
            at = place.line + text.count("\n", 0, call.start) if text else place.line
            conditional = place.conditional or call.is_conditional
            self._add_call(call, replace(place, line=at, conditional=conditional), depth)

    def enter(self, folder: str) -> None:
        """Follow a change of the current folder."""
        self.folder = self.locate(self.folder, folder)

    def locate(self, folder: Path, name: str) -> Path:
        """Return the path of a file; what lies in the folder of the machine's notebooks lies beside this one."""
        home = self.host.home
        if home and (name == home or name.startswith(f"{home}/")):
            return _join(self.home, name[len(home) :].lstrip("/"))
        return _join(folder, name)

    def note(
        self, text: str, reason: str, place: _Place, cause: GapReason, *, is_judged: bool = False
    ) -> None:
        self.unread.append(
            UnreadInstall(text, reason, place.cell, place.line, is_judged, cause, place.skipped)
        )

    def _add_call(self, call: ProgramCall, place: _Place, depth: int) -> None:
        command = _read_own(call) or read_command(call.words, call.environment, call.folder)
        if command is None:
            if not place.skipped:
                self._note_files(call)
            if installer := find_other_installer(call):
                reason = f"tierproof cannot predict what {installer} would install"
                self.note(shorten(" ".join(call.words)), reason, place, GapReason.SCRIPT)
            elif hand := find_hand_change(call, self._locate_from(call), self.host.python):
                self._note_hand_change(call, hand, place)
            else:
                self._add_script(call, place, depth)
        elif command.changes_packages:
            self._add_command(call, command, place)

    def _locate_from(self, call: ProgramCall) -> Callable[[str], Path]:
        return partial(self.locate, self.locate(self.folder, call.folder))

    def _note_hand_change(self, call: ProgramCall, hand: HandChange, place: _Place) -> None:
        text, where = shorten(" ".join(call.words)), shorten(hand.place)
        reason = f"it changes {where} without pip; which packages change is not known"
        if hand.is_edit:
            reason = f"it edits {where}, a file of an installed package, whose version stays as it is"
        self.note(text, reason, place, GapReason.FOLDER, is_judged=hand.is_edit)

    def _note_files(self, call: ProgramCall) -> None:
        locate = self._locate_from(call)
        for name, text, append in read_shell_write(call, UNKNOWN):
            self.files.write(locate(name), text, append=append)
        self.clones.note(call, locate)

    def _add_script(self, call: ProgramCall, place: _Place, depth: int) -> None:
        script = read_script_call(call)
        if script is None:
            return
        text = shorten(" ".join(call.words))
        if script.replaces_python:
            reason = "it replaces the kernel's Python by another one, with other packages"
            self.note(text, reason, place, GapReason.PYTHON)
            return
        if script.apart:
            reason = f"it makes a separate environment in {script.apart}; the kernel's packages do not change"
            self.note(text, reason, place, GapReason.SCRIPT, is_judged=True)
            return
        folder = self.locate(self.folder, call.folder)
        known = self.files.read(self.locate(folder, script.path)) if script.is_text else None
        if known is not None and depth < _DEEPEST:
            self._read_script(known, script, place, depth)
        elif script.may_install:
            told = "this script" if script.path else "this script from a pipe"
            self.note(text, f"{told} may install packages, but was not read", place, GapReason.SCRIPT)
        else:
            self.note(text, "this script was not read", place, GapReason.SCRIPT, is_judged=True)

    def _read_script(self, text: str, script: ScriptCall, place: _Place, depth: int) -> None:
        if not script.is_python:
            self.add_calls(follow_script(text, {}, lambda _: UNKNOWN), "", place, depth + 1)
            return
        try:
            commands = list(PythonFollower(self.host).follow(ast.parse(text)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            self.note(script.path, "this script cannot be parsed", place, GapReason.SCRIPT)
            return
        for command in commands:
            add_command(
                replace(command, skipped=command.skipped or place.skipped), (), place, self, depth + 1
            )

    def _add_command(self, call: ProgramCall, command: PipCommand, place: _Place) -> None:
        text = shorten(" ".join(call.words))
        if any(UNKNOWN in word for word in call.words):
            self.note(text, "what it installs is only known when it runs", place, GapReason.RUNTIME)
            command = leave_out_unknown(command)
            if command.no_index and not command.find_links:  # nothing that is known offers any package
                return
        if any(prefix.rpartition("/")[2] == "xargs" for prefix in call.prefixes):
            self.note(text, "what xargs passes on is only known when it runs", place, GapReason.RUNTIME)
        if not self._read_redirections(call, text, place):
            return
        folder = self.locate(self.folder, command.folder)
        command = replace(command, folder=str(folder), text=text)
        command = self._find_files(
            self.clones.put_in(command, partial(self.locate, folder)), folder, text, place
        )
        if (
            command.requirements
            or command.editables
            or command.requirement_files
            or command.action is not Action.INSTALL
        ):
            self.installs.append(
                FoundInstall(command, text, place.cell, place.line, place.conditional, place.skipped)
            )

    def _read_redirections(self, call: ProgramCall, text: str, place: _Place) -> bool:
        """Remark on bounds that a shell takes for files; False if nothing runs then."""
        for each in call.redirections:
            if each.is_attached and each.sign == "<" and _BOUND.match(each.target):
                reason = f"the shell reads `<{each.target}` as an input file, not as a bound: quote the requirement"
                self.note(text, reason, place, GapReason.TEXT, is_judged=True)
                return False
            if each.is_attached and each.sign in (">", ">>") and _BOUND.match(each.target):
                shown = f"`{each.sign}{each.target}`"
                reason = f"the shell reads {shown} as an output file, not as a bound: quote the requirement"
                self.note(text, reason, place, GapReason.TEXT, is_judged=True)
        return True

    def _find_files(self, command: PipCommand, folder: Path, text: str, place: _Place) -> PipCommand:
        """Keep the files that can be read, with the text of those that a cell writes, and tell of the others."""
        kept: dict[str, None] = {}
        for name in (*command.requirement_files, *command.constraint_files):
            path = self.locate(folder, name)
            if "://" in name or self.files.read(path) is not None:
                kept[name] = None
            elif self.files.is_written(path):
                reason = f"what is written to {name} is only known when the notebook runs"
                self.note(text, reason, place, GapReason.FILE)
            else:
                reason = f"{name} is not next to the notebook; the notebook may fetch it when it runs"
                self.note(text, reason, place, GapReason.FILE)
        return replace(
            command,
            requirement_files=tuple(name for name in command.requirement_files if name in kept),
            constraint_files=tuple(name for name in command.constraint_files if name in kept),
            given_files=tuple(self.files.known.items()),
        )


def find_installs(
    cells: Sequence[CodeCell], folder: Path, host: HostedService | None = None
) -> tuple[tuple[FoundInstall, ...], tuple[UnreadInstall, ...]]:
    """Give the installs of a notebook, and what may be one and could not be read.

    Args:
        cells: in their order.
        folder: of the notebook, from which its relative paths start.
        host: the machine that it would run on.
    """
    machine = host or HostedService()
    found, follower = _Found(folder, folder, machine), PythonFollower(machine)
    for cell in cells:
        follower.names[CURRENT_FOLDER] = str(found.folder)
        code = part_cell(cell.source)
        if code.file:
            found.files.write(found.locate(found.folder, code.file), code.script, append=code.is_appended)
        elif code.script:
            calls = follow_script(code.script, {}, lambda _: UNKNOWN)
            found.add_calls(calls, code.script, _Place(cell.number, code.script_line))
        else:
            _read_python(code, cell, follower, found)
    for name in sorted(set(follower.functions) - follower.called):
        for command in follower.follow_uncalled(name):
            add_command(command, (), _Place(follower.defined_in.get(name, 0), command.line, True), found)
    return tuple(found.installs), tuple(found.unread)


def _read_python(code: CellCode, cell: CodeCell, follower: PythonFollower, found: _Found) -> None:
    known = set(follower.functions)
    try:
        tree = ast.parse(code.python)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        for each in code.shell_lines:
            _add_shell_line(each, follower.names, _Place(cell.number, each.line), found)
        if mentions_installer(code.python) and re.search(r"\b(subprocess|system|main)\b", code.python):
            found.note(
                "Python commands of this cell",
                "not read, because the cell is not valid Python",
                _Place(cell.number, 0),
                GapReason.TEXT,
            )
        return
    for command in follower.follow(tree):
        follower.names[CURRENT_FOLDER] = str(found.folder)
        add_command(command, code.shell_lines, _Place(cell.number, command.line), found)
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


def add_command(
    command: PythonCommand, lines: Sequence[ShellLine], place: _Place, found: _Found, depth: int = 0
) -> None:
    """Add what one command of Python code installs or writes."""
    place = replace(place, conditional=place.conditional or command.conditional, skipped=command.skipped)
    if command.shell_line is not None:
        if command.shell_line < len(lines):
            line = lines[command.shell_line]
            _add_shell_line(line, command.names, replace(place, line=line.line), found)
    elif command.unknown or command.replaces_python or command.prepares:
        _note_call(command, place, found)
    elif command.written is not None or command.folder is not None:
        if not command.skipped:
            _follow_files(command, found)
    elif command.magic is not None:
        _add_magic(*command.magic, place, found)
    elif command.words:
        found.add_calls(follow_words(command.words, {}), "", place, depth)
    else:
        calls = follow_script(command.text, {}, lambda _: UNKNOWN)
        found.add_calls(calls, "", place, depth)


def _note_call(command: PythonCommand, place: _Place, found: _Found) -> None:
    """Note a call of which it is not known what it installs."""
    if command.replaces_python:
        reason = "this call replaces Python itself, with all packages"
        found.note(command.replaces_python, reason, place, GapReason.PYTHON)
    elif command.prepares:
        reason = "this function may install packages, but its code was not read"
        found.note(command.prepares, reason, place, GapReason.SCRIPT)
    elif mentions_installer(command.unknown):
        reason = "what it runs is only known at run time"
        found.note(shorten(command.unknown), reason, place, GapReason.RUNTIME)


def _follow_files(command: PythonCommand, found: _Found) -> None:
    if command.written is not None:
        name, text, append = command.written
        found.files.write(found.locate(found.folder, name), text, append=append)
    if command.folder is not None:
        found.enter(command.folder)


def _add_shell_line(line: ShellLine, names: Mapping[str, Any], place: _Place, found: _Found) -> None:
    text = expand_text(line.text, names, found.host)
    if line.sign == "%":
        name, _, rest = text.partition(" ")
        _add_magic(name, rest, place, found)
    else:
        found.add_calls(follow_script(text, {}, lambda _: UNKNOWN), "", place)


def _add_magic(name: str, line: str, place: _Place, found: _Found) -> None:
    if name == "cd" and not place.skipped:
        found.enter(line.strip().strip("\"'"))
        return
    calls = follow_script(tell_line_magic(name, line), {}, lambda _: UNKNOWN)
    found.add_calls(calls, "", place)


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


def _join(folder: Path, name: str) -> Path:
    """Return the path of a file or folder by its name in a folder; of an unknown one, a path that is not there."""
    return Path(os.path.normpath(folder / os.path.expanduser(name)))  # noqa: PTH111 - Path's own raises
