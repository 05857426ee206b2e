"""Parses install commands as people type them: what does this line ask pip, uv or conda to do?"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tierproof.guard.commands.conda_options import read_conda_options
from tierproof.guard.commands.pip_options import ReadOptions, read_options
from tierproof.guard.commands.pip_variables import list_pip_options
from tierproof.guard.commands.shell_script import ProgramCall, follow_script, follow_words

_PIP = re.compile(r"pip(\d+(\.\d+)?)?(\.exe)?\Z", re.IGNORECASE)
_PYTHON = re.compile(r"(python|pypy)[\d.]*(\.exe)?\Z", re.IGNORECASE)
_CONDA = re.compile(r"(conda|mamba|micromamba)(\.exe|\.bat)?\Z")
_SIGN = re.compile(r"(\s*)(?:!{1,2}|%%?(?:(?:shell|sx|system|time|timeit|capture)\b)?)\s*")
_MENTION = re.compile(r"pip|uv|conda|mamba", re.IGNORECASE)
_MAY_INSTALL = re.compile(r"PIP_|\bsource\b|sh\b|(^|[;&|\n])\s*\.\s|[$`{]")
_QUOTES = re.compile(r"[\\'\"]")
_PYTHON_VALUED = "WX"
_READ_NAMES = """
    editable requirement constraint upgrade upgrade-package upgrade-strategy force-reinstall ignore-installed
    no-deps pre prerelease user target prefix root index-url extra-index-url find-links no-index python
"""
_READ = frozenset(_READ_NAMES.split())


class Program(StrEnum):
    """The program that the command runs."""

    PIP = "pip"
    UV = "uv"
    CONDA = "conda"


class Action(StrEnum):
    """What the command does; OTHER changes no package (`pip list`, `pip download`, a dry run)."""

    INSTALL = "install"
    UNINSTALL = "uninstall"
    SYNC = "sync"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class PipCommand:
    """One command, read.

    Attributes:
        program: who is asked.
        action: what is asked of it.
        requirements: as typed; for an uninstall, names.
        editables: projects after `-e`.
        requirement_files: after `-r`, as typed.
        constraint_files: after `-c`, as typed.
        upgrade: `-U`.
        upgrade_packages: uv's `-P`, and what `--upgrade-strategy eager` does for all is in `eager`.
        eager: dependencies are upgraded as well: `--upgrade-strategy eager`, or uv's `-U`.
        force_reinstall: `--force-reinstall`, `--reinstall`, `--ignore-installed`.
        no_deps: dependencies are left alone.
        prereleases: `--pre`.
        wheels_only: nothing may be built: `--only-binary :all:`, uv's `--no-build`.
        user: into the user's site.
        elsewhere: a folder of its own (`--target`, `--prefix`, `--root`), as typed; else empty.
        index_url: `-i`; else empty.
        extra_index_urls: further indexes.
        find_links: after `-f`.
        no_index: only `find_links` may be asked.
        interpreter: whose packages: the program as typed, or what `--python` names; else empty.
        environment: variables set for this command alone.
        folder: where `cd` led before, relative or absolute; empty for the current folder.
        other_options: long names of the options that are not above.
        text: the command's words, joined by spaces.
        given_files: the text of requirements files that are not on disk, by normal path.
        is_conditional: it may not run; see `ProgramCall`.
    """

    program: Program
    action: Action
    requirements: tuple[str, ...] = ()
    editables: tuple[str, ...] = ()
    requirement_files: tuple[str, ...] = ()
    constraint_files: tuple[str, ...] = ()
    upgrade: bool = False
    upgrade_packages: tuple[str, ...] = ()
    eager: bool = False
    force_reinstall: bool = False
    no_deps: bool = False
    prereleases: bool = False
    wheels_only: bool = False
    user: bool = False
    elsewhere: str = ""
    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    interpreter: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    folder: str = ""
    other_options: tuple[str, ...] = ()
    text: str = ""
    given_files: tuple[tuple[str, str], ...] = ()
    is_conditional: bool = False

    @property
    def changes_packages(self) -> bool:
        """True where running it could change what is installed somewhere."""
        return self.action is not Action.OTHER


def mentions_installer(text: str) -> bool:
    """Tell quickly whether `text` could hold an install command at all."""
    return _MENTION.search(text) is not None


def may_install(text: str) -> bool:
    """Tell quickly whether shell text could run an install command, also by a script or in a quoted word."""
    return _MAY_INSTALL.search(text) is not None or mentions_installer(_QUOTES.sub("", text))


def parse_pip_commands(
    text: str,
    variables: Mapping[str, str] | None = None,
    read_file: Callable[[str], str | None] | None = None,
    *,
    is_shell_text: bool = False,
) -> tuple[PipCommand, ...]:
    """Find the commands of pip, uv and conda in shell text.

    Args:
        text: one line or a script; notebook signs (`!`, `%`, `%%bash`) before a command are allowed.
        variables: the shell's, for `$NAME`; this process's environment by default.
        read_file: gives the text of a script that is run; None for one that cannot be read. Without it none is.
        is_shell_text: no notebook signs stand in it; `!` is the shell's.

    Never raises: commands that cannot be parsed are left out.
    """
    known = os.environ if variables is None else variables
    calls = follow_script(text if is_shell_text else _strip_notebook_signs(text), known, None, read_file)
    return tuple(_read_calls(calls, known))


def parse_pip_arguments(
    arguments: Sequence[str],
    variables: Mapping[str, str] | None = None,
    read_file: Callable[[str], str | None] | None = None,
) -> tuple[PipCommand, ...]:
    """Find the commands in the words of one process's command line, where no shell stands between."""
    known = os.environ if variables is None else variables
    return tuple(_read_calls(follow_words([str(word) for word in arguments], known, read_file), known))


def _read_calls(calls: Iterable[ProgramCall], variables: Mapping[str, str]) -> Iterator[PipCommand]:
    for call in calls:
        command = read_command(call.words, call.environment, call.folder, variables)
        if command is not None:
            yield replace(command, is_conditional=call.is_conditional)


def _strip_notebook_signs(text: str) -> str:
    lines = text.split("\n")
    for at, line in enumerate(lines):
        while match := _SIGN.match(line):
            line = match[1] + line[match.end() :]  # noqa: PLW2901 - `%time !pip` carries two
        lines[at] = line
    return "\n".join(lines)


def read_command(
    words: Sequence[str],
    environment: tuple[tuple[str, str], ...],
    folder: str,
    variables: Mapping[str, str] | None = None,
) -> PipCommand | None:
    """Read one command without prefixes; None if it does not run pip, uv or conda.

    Args:
        words: the program and its arguments.
        environment: variables set for it alone.
        folder: where `cd` led before.
        variables: those of the shell, of which pip reads its `PIP_…`.
    """
    given = ReadOptions(tuple(list_pip_options({**(variables or {}), **dict(environment)})), ())
    name, rest = os.path.basename(words[0].replace("\\", "/")), list(words[1:])  # noqa: PTH119 - a word, no file
    text = " ".join(words)
    if _PYTHON.match(name):
        module, rest = _find_module(rest)
        if module == "pip":
            return _read_pip(rest, words[0], environment, folder, text, given)
        return _read_uv(rest, words[0], environment, folder, text) if module == "uv" else None
    if _PIP.match(name):
        return _read_pip(rest, words[0], environment, folder, text, given)
    if name in ("uv", "uv.exe"):
        return _read_uv(rest, "", environment, folder, text)
    if _CONDA.match(name):
        return _read_conda(rest, text)
    return None


def _read_pip(
    words: list[str],
    program: str,
    environment: tuple[tuple[str, str], ...],
    folder: str,
    text: str,
    given: ReadOptions,
) -> PipCommand:
    read = read_options(words)
    read = ReadOptions((*given.options, *read.options), read.operands)
    verb = read.operands[0] if read.operands else ""
    action = {"install": Action.INSTALL, "uninstall": Action.UNINSTALL}.get(verb, Action.OTHER)
    return _make(Program.PIP, action, read, read.last("python") or program, environment, folder, text)


def _read_uv(
    words: list[str], program: str, environment: tuple[tuple[str, str], ...], folder: str, text: str
) -> PipCommand | None:
    read = read_options(words)
    verbs = read.operands[:2]
    if verbs[:1] == ("pip",):
        action = {"install": Action.INSTALL, "uninstall": Action.UNINSTALL, "sync": Action.SYNC}.get(
            "".join(verbs[1:]), Action.OTHER
        )
        read = ReadOptions(read.options, read.operands[1:])
    elif verbs[:1] in (("add",), ("remove",), ("sync",)):
        action = Action.SYNC  # a project's environment is made to match its lock
    else:
        action = Action.OTHER
    return _make(Program.UV, action, read, read.last("python") or program, environment, folder, text)


def _read_conda(words: list[str], text: str) -> PipCommand:
    read = read_conda_options(words)
    verb = read.operands[0] if read.operands else ""
    if verb == "env" and read.operands[1:2] == ("update",):
        verb = "update"
    actions = {"install": Action.INSTALL, "update": Action.INSTALL, "upgrade": Action.INSTALL}
    actions |= {"remove": Action.UNINSTALL, "uninstall": Action.UNINSTALL}
    if verb not in actions or read.has("dry-run"):
        return PipCommand(Program.CONDA, Action.OTHER, text=text)
    return PipCommand(
        Program.CONDA,
        actions[verb],
        read.operands[1:],
        requirement_files=read.all("file"),
        elsewhere=read.last("prefix") or read.last("name"),
        text=text,
    )


def _make(
    program: Program,
    action: Action,
    read: ReadOptions,
    interpreter: str,
    environment: tuple[tuple[str, str], ...],
    folder: str,
    text: str,
) -> PipCommand:
    if read.has("dry-run") or read.has("help"):
        action = Action.OTHER
    upgrade = read.has("upgrade")
    return PipCommand(
        program,
        action,
        requirements=tuple(word for word in read.operands[1:] if word),
        editables=tuple(value for value in read.all("editable") if value),
        requirement_files=read.all("requirement"),
        constraint_files=read.all("constraint"),
        upgrade=upgrade,
        upgrade_packages=read.all("upgrade-package"),
        eager=upgrade and (program is Program.UV or read.last("upgrade-strategy") == "eager"),
        force_reinstall=read.has("force-reinstall") or read.has("ignore-installed"),
        no_deps=read.has("no-deps"),
        prereleases=read.has("pre") or read.last("prerelease") == "allow",
        wheels_only=":all:" in ",".join(read.all("only-binary")).split(",") or read.has("no-build"),
        user=read.has("user"),
        elsewhere=read.last("target") or read.last("prefix") or read.last("root"),
        index_url=read.last("index-url"),
        extra_index_urls=read.all("extra-index-url"),
        find_links=read.all("find-links"),
        no_index=read.has("no-index"),
        interpreter=interpreter,
        environment=environment,
        folder=folder,
        other_options=tuple(name for name, _ in read.options if name not in _READ),
        text=text,
    )


def _find_module(words: list[str]) -> tuple[str, list[str]]:
    """Return the module that `python … -m MODULE` runs, and its arguments."""
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if not word.startswith("-") or word in ("-", "--"):
            is_pip = _PIP.match(os.path.basename(word))  # noqa: PTH119 - `python /usr/bin/pip install`
            return ("pip", queue) if is_pip else ("", [])
        if word.startswith("--"):
            continue
        for at, letter in enumerate(word[1:], start=1):
            if letter == "m":
                attached = word[at + 1 :]
                return (attached, queue) if attached else ("".join(queue[:1]), queue[1:])
            if letter == "c":
                return "", []
            if letter in _PYTHON_VALUED:
                queue = queue if word[at + 1 :] else queue[1:]
                break
    return "", []
