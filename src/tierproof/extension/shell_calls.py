"""Where a notebook's shell commands pass: `shell.system`, `getoutput` and the script magics, wrapped."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tierproof.extension.watch import Watch
from tierproof.guard.commands.notebook_magics import (
    PYTHON_MAGICS,
    SCRIPT_MAGICS,
    SHELL_METHODS,
    tell_cell_script,
    tell_magic_command,
)


class ShellCalls:
    """Wraps a shell's ways to run commands; what other extensions put there before goes on working.

    A command is judged with its `$variables` and `{expressions}` put in. They are evaluated once: the wrapped
    method is given what came of it.

    Args:
        shell: an InteractiveShell.
        watch: judges.
    """

    def __init__(self, shell: Any, watch: Watch) -> None:
        self._shell = shell
        self._watch = watch
        self._methods: dict[str, tuple[Any, Any]] = {}
        self._magics: dict[str, tuple[Any, Any]] = {}
        self._run: tuple[Any, Any] | None = None

    def wrap(self) -> None:
        """Put the wrappers in place."""
        for name in SHELL_METHODS:
            method = getattr(self._shell, name, None)
            if callable(method):
                wrapper = self._wrap_method(method)
                self._methods[name] = (self._shell.__dict__.get(name), wrapper)
                setattr(self._shell, name, wrapper)
        magics = self._shell.magics_manager.magics["cell"]
        for name in (*SCRIPT_MAGICS, *PYTHON_MAGICS):
            magic = self._shell.find_cell_magic(name)  # loads one that IPython has put off
            if callable(magic):
                wrapper = self._wrap_magic(name, magic)
                self._magics[name] = (magic, wrapper)
                magics[name] = wrapper
        magic = self._shell.find_line_magic("run")
        if callable(magic):
            wrapper = self._wrap_run(magic)
            self._run = (magic, wrapper)
            self._shell.magics_manager.magics["line"]["run"] = wrapper

    def unwrap(self) -> None:
        """Put back what was there, except where somebody else has put a wrapper on top meanwhile."""
        for name, (before, wrapper) in self._methods.items():
            if self._shell.__dict__.get(name) is not wrapper:
                continue
            if before is None:
                del self._shell.__dict__[name]
            else:
                self._shell.__dict__[name] = before
        magics = self._shell.magics_manager.magics["cell"]
        for name, (before, wrapper) in self._magics.items():
            if magics.get(name) is wrapper:
                magics[name] = before
        lines = self._shell.magics_manager.magics["line"]
        if self._run is not None and lines.get("run") is self._run[1]:
            lines["run"] = self._run[0]
        self._run = None
        self._methods.clear()
        self._magics.clear()

    def _wrap_method(self, method: Callable[..., Any]) -> Callable[..., Any]:
        shell, watch = self._shell, self._watch

        @functools.wraps(method)
        def run(cmd: Any, *arguments: Any, **options: Any) -> Any:
            if not isinstance(cmd, str):
                return method(cmd, *arguments, **options)
            # Of a nested call, say by `%pip`, the text is expanded already, and is judged here once more.
            expanded = shell.var_expand(cmd, depth=1 + _read_depth(arguments, options))
            watch.consider_text(expanded)
            with watch.settled(), _expanded(shell, cmd, expanded):
                return method(cmd, *arguments, **options)

        return run

    def _wrap_run(self, magic: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `%run`: `%run -m pip install x` runs pip in the kernel itself, where no process starts."""
        watch = self._watch

        @functools.wraps(magic)
        def run(line: Any = "", *arguments: Any, **options: Any) -> Any:
            told = tell_magic_command("run", str(line), sys.executable)
            if told:
                watch.consider_text(told)
            return magic(line, *arguments, **options)

        return run

    def _wrap_magic(self, name: str, magic: Callable[..., Any]) -> Callable[..., Any]:
        watch = self._watch

        @functools.wraps(magic)
        def run(line: Any, cell: Any = None, *arguments: Any, **options: Any) -> Any:
            watch.consider_text(tell_cell_script(name, str(line), str(cell or "")))
            given = (line,) if cell is None else (line, cell)
            with watch.settled():
                return magic(*given, *arguments, **options)

        return run


def _read_depth(arguments: tuple[Any, ...], options: dict[str, Any]) -> int:
    """The `depth` of getoutput(cmd, split=True, depth=0)."""
    depth = options.get("depth", arguments[1] if len(arguments) > 1 else 0)
    return depth if isinstance(depth, int) else 0


@contextmanager
def _expanded(shell: Any, text: str, expanded: str) -> Iterator[None]:
    """While a wrapped method runs, `text` expands to what it expanded to before, in whatever frame it asks."""
    own = shell.__dict__.get("var_expand")
    expand = shell.var_expand

    def var_expand(cmd: Any, *arguments: Any, **options: Any) -> Any:
        return expanded if cmd is text else expand(cmd, *arguments, **options)

    shell.__dict__["var_expand"] = var_expand
    try:
        yield
    finally:
        if own is None:
            shell.__dict__.pop("var_expand", None)
        else:
            shell.__dict__["var_expand"] = own
