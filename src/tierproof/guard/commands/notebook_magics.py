"""How IPython runs shell commands: the methods of its shell, and the magics that hand text to one."""

from __future__ import annotations

import shlex

SHELL_METHODS = ("system", "system_raw", "system_piped", "getoutput")
PYTHON_MAGICS = ("python", "python3", "pypy")
_END = "end-of-the-cell"
SCRIPT_MAGICS = ("bash", "sh", "script", "system", "sx", "!", "shell", "zsh")


def tell_magic_command(name: str, line: str, python: str) -> str:
    """Return the shell command that a line magic runs; empty if it runs none.

    Args:
        name: of the magic, without its sign.
        line: the text after the name.
        python: the kernel's interpreter.
    """
    if name in ("pip", "uv"):
        return f"{shlex.quote(python)} -m {name} {line}"
    if name == "run" and line.split()[:1] == ["-m"]:
        return f"{shlex.quote(python)} {line}"
    return line if name in ("sx", "system") else ""


def tell_cell_script(name: str, line: str, cell: str) -> str:
    """Return the shell text that does what a cell magic with a script does.

    Args:
        name: of the magic, without its signs.
        line: the text after the name.
        cell: the rest of the cell.
    """
    if name in PYTHON_MAGICS or (name == "script" and line.strip()):
        program = line.strip() if name == "script" else name
        return f"{program} <<'{_END}'\n{cell}\n{_END}\n"
    return f"{line}\n{cell}"
