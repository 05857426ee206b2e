"""The shell command that does what a line magic of a notebook does."""

from __future__ import annotations

from tierproof.guard.commands.notebook_magics import tell_magic_command

_PYTHON = "python"
_TIMERS = ("time", "timeit", "capture", "prun")


def tell_line_magic(name: str, line: str) -> str:
    """Return the shell text that does what a line magic does; empty if it starts no program.

    Args:
        name: of the magic, without its sign.
        line: the text after the name.
    """
    return tell_magic_command(name, line, _PYTHON) or _tell_own_magic(name, line)


def _tell_own_magic(name: str, line: str) -> str:
    """Give the command of magics of which only files of notebooks are asked; that of `%time !pip …` as well."""
    if name in ("conda", "mamba", "micromamba", "tierproof"):
        return f"{name} {line}"
    if name == "run":  # in the kernel itself, but what it installs is the same
        return f"{_PYTHON} {line}"
    if name == "shell":  # Colab's
        return line
    if name in _TIMERS:
        sign, rest = line.strip()[:1], line.strip()[1:].lstrip("!% ")
        inner, _, words = rest.partition(" ")
        if sign == "!":
            return rest
        return tell_line_magic(inner, words) if sign == "%" else ""
    return ""
