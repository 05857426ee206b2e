"""One command that Python code starts, or one file that it writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class PythonCommand:
    """One command.

    Attributes:
        line: of the Python text, from 1.
        conditional: it may not run.
        skipped: why it does not run on this machine; empty if it does, or may.
        shell_line: index of the shell line that the placeholder stands for; None for other calls.
        text: for a shell.
        words: of a process that is started without a shell.
        magic: name and line of a line magic that is called as a function.
        unknown: the call, if the command is only known at run time.
        replaces_python: the call, if it replaces the interpreter.
        prepares: the call, if it prepares Colab for a package and may install others.
        written: a file that is written: its name, its text (None: known only at run time), and whether it is appended.
        folder: the new current folder (None: it stays).
        names: the variables at that moment, which a shell line may use.
    """

    line: int
    conditional: bool
    skipped: str = ""
    shell_line: int | None = None
    text: str = ""
    words: tuple[str, ...] = ()
    magic: tuple[str, str] | None = None
    unknown: str = ""
    replaces_python: str = ""
    prepares: str = ""
    written: tuple[str, str | None, bool] | None = None
    folder: str | None = None
    names: dict[str, Any] = field(default_factory=dict)
