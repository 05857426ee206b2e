"""Processes that Python code starts: `subprocess`, `os.system`, `os.posix_spawn`, `os.spawn…`, `os.exec…`, `pty.spawn`.

They are seen by an audit hook; `os.spawn…`, whose child alone would tell, by a wrapper.

An audit hook stays for the life of the process. This one is added once, costs a comparison per event, and
does nothing while no watch is set.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Mapping
from typing import Any

from tierproof.extension.watch import Watch

_EVENTS = frozenset({"subprocess.Popen", "os.system", "os.posix_spawn", "os.exec", "pty.spawn"})
_SPAWN = "_spawnvef"  # every os.spawn… goes through it, where there is fork
_active: list[Watch] = []  # one at most; a list, so that the hook needs no global statement
_state = {"added": False, "pid": 0}


def set_watch(watch: Watch) -> None:
    """Let `watch` judge every process that this one starts from now on."""
    _active[:] = [watch]
    _state["pid"] = os.getpid()
    if not _state["added"]:
        sys.addaudithook(_hear)
        _wrap_spawn()
        _state["added"] = True


def clear_watch() -> None:
    """Judge no more."""
    _active.clear()


def _wrap_spawn() -> None:
    """Let `os.spawnlp` and its like be heard in this process, before they fork."""
    spawn = getattr(os, _SPAWN, None)
    if spawn is None:
        return

    @functools.wraps(spawn)
    def heard(mode: int, file: Any, args: Any, env: Any, func: Any) -> Any:
        _hear("os.posix_spawn", (file, args, env))
        return spawn(mode, file, args, env, func)

    setattr(os, _SPAWN, heard)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _EVENTS or not _active:
        return
    if os.getpid() != _state["pid"]:  # a fork of this process
        return
    watch = _active[0]
    try:
        text, words, environment, folder = _read(event, arguments)
    except Exception as error:  # noqa: BLE001 - reported; the process starts as if nobody listened
        watch.report("reading the command of a new process", error)
        return
    if words is None:
        watch.consider_text(text, environment, folder)
    else:
        watch.consider_arguments(words, environment, folder)


def _read(event: str, arguments: tuple[Any, ...]) -> tuple[str, list[str] | None, dict[str, str] | None, str]:
    """Give the command as text or as words, its variables (None: this process's) and its folder."""
    if event == "os.system":
        return _decode(arguments[0]), None, None, ""
    if event == "pty.spawn":
        words = arguments[0]
        return "", [_decode(word) for word in ([words] if isinstance(words, str) else words)], None, ""
    words, variables = arguments[1], arguments[-1]
    folder = ""
    if event == "subprocess.Popen" and arguments[2] is not None:
        folder = _decode(arguments[2])
    environment = _read_environment(variables)
    if isinstance(words, str | bytes | os.PathLike):  # Windows: one text
        return _decode(words), None, environment, folder
    return "", [_decode(word) for word in words], environment, folder


def _read_environment(variables: Any) -> dict[str, str] | None:
    if not isinstance(variables, Mapping):
        return None
    return {_decode(name): _decode(value) for name, value in variables.items()}


def _decode(word: Any) -> str:
    try:
        return os.fsdecode(word)
    except TypeError:
        return str(word)
