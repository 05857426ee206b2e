"""Calls that start a process or run a magic, as commands."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tierproof.images.read.constant_value import NotConstant
from tierproof.images.read.python_command import PythonCommand

_SHELL_METHODS = frozenset({"system", "system_raw", "system_piped", "getoutput"})
# Run text as Python; a script, where the text is a file's.
_SOURCE_RUNNERS = frozenset({"exec", "builtins.exec"})
SCRIPT_RUNNERS = _SOURCE_RUNNERS | {"runpy.run_path"}
# Gives the value of an expression; raises NotConstant.
_Tell = Callable[[ast.expr], Any]


def read_shell_method(method: str, call: ast.Call, conditional: bool, tell: _Tell) -> Iterator[PythonCommand]:
    """Read a call of a method of the shell."""
    if method in _SHELL_METHODS:
        yield read_process(call, conditional, tell, first=call.args[:1])
    elif method in ("run_cell", "run_code", "ex"):
        yield _tell_unknown(call, conditional)
    elif method in ("run_line_magic", "magic", "run_cell_magic"):
        try:
            given = [str(tell(each)) for each in call.args]
        except NotConstant:
            yield _tell_unknown(call, conditional)
            return
        if method == "magic" and given:
            name, _, line = given[0].lstrip("%").partition(" ")
            yield PythonCommand(call.lineno, conditional, magic=(name, line))
        elif method == "run_line_magic" and len(given) == 2:
            yield PythonCommand(call.lineno, conditional, magic=(given[0], given[1]))
        elif method == "run_cell_magic" and len(given) == 3:
            yield PythonCommand(call.lineno, conditional, text=f"{given[2]}")


def read_start(call: ast.Call, conditional: bool, tell: _Tell) -> PythonCommand:
    """Read a call of subprocess: with a shell, a text is a script; without one, it is a program's name."""
    found = read_process(call, conditional, tell, first=call.args[:1])
    given = next((each.value for each in call.keywords if each.arg == "shell"), ast.Constant(False))
    if not isinstance(given, ast.Constant) or found.unknown:
        return found
    if given.value:
        return replace(found, words=(), text=found.text or "".join(found.words[:1]))
    return replace(found, text="", words=found.words or ((found.text,) if found.text else ()))


def read_process(
    call: ast.Call, conditional: bool, tell: _Tell, first: list[ast.expr], before: tuple[str, ...] = ()
) -> PythonCommand:
    """Read a call whose first argument is a command; `before` stands before its words."""
    given = first or [each.value for each in call.keywords if each.arg == "args"]
    try:
        values = [tell(each) for each in given]
    except NotConstant:
        return _tell_unknown(call, conditional)
    if before:
        words = [str(word) for value in values for word in (value if isinstance(value, list) else [value])]
        return PythonCommand(call.lineno, conditional, words=(*before, *words))
    value = values[0] if values else ""
    if isinstance(value, list):
        return PythonCommand(call.lineno, conditional, words=tuple(str(word) for word in value))
    return PythonCommand(call.lineno, conditional, text=str(value))


def read_script_run(call: ast.Call, name: str, conditional: bool, tell: _Tell) -> Iterator[PythonCommand]:
    """Read a call that runs a file of Python in the kernel: `runpy.run_path(…)`, `exec(open(…).read())`."""
    given: ast.AST = call
    if name in _SOURCE_RUNNERS:
        opened = (each for each in ast.walk(call) if isinstance(each, ast.Call) and _opens(each.func))
        given = next(opened, call)
        if given is call:
            return
    try:
        path = tell(given.args[0]) if isinstance(given, ast.Call) and given.args else ""
    except NotConstant:
        yield _tell_unknown(call, conditional)
        return
    if isinstance(path, str) and path:
        yield PythonCommand(call.lineno, conditional, words=("python", path))


def _opens(function: ast.expr) -> bool:
    return isinstance(function, ast.Name) and function.id == "open"


def _tell_unknown(call: ast.Call, conditional: bool) -> PythonCommand:
    return PythonCommand(call.lineno, conditional, unknown=" ".join(ast.unparse(call).split()))
