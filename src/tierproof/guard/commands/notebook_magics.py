"""How IPython runs shell commands: the methods of its shell, and the magics that hand text to one."""

from __future__ import annotations

import shlex

SHELL_METHODS = ("system", "system_raw", "system_piped", "getoutput")
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
    return line if name in ("sx", "system") else ""
