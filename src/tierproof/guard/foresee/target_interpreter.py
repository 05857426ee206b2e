"""Whose packages an install command changes: this interpreter's, or another environment's."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tierproof.guard.commands.pip_command import PipCommand, Program

_SHEBANG = re.compile(rb"#!\s*(\S+)")
_EXEC = re.compile(rb"""'''exec' "?([^"'\s]+)""")  # how pip writes a shebang that is too long


def changes_other_environment(command: PipCommand, environment: Mapping[str, str]) -> str:
    """Return the other environment that `command` surely changes; empty if it is, or may be, this one.

    Args:
        command: of pip or uv.
        environment: the variables that it would run with.
    """
    interpreter = _find_interpreter(command, environment)
    return _find_other_prefix(interpreter) if interpreter else ""


def _find_interpreter(command: PipCommand, environment: Mapping[str, str]) -> str:
    """Return the python that the command works for; empty if that is not known."""
    path = environment.get("PATH")
    if command.program is Program.UV and not command.interpreter:
        return _find_uv_interpreter(command, environment)
    name = command.interpreter
    if not name:
        return ""
    folder = Path(command.folder or ".")
    found = shutil.which(name, path=path) if "/" not in name else str(folder / os.path.expanduser(name))  # noqa: PTH111
    if found is None or not Path(found).exists():
        return ""
    if Path(found).is_dir():  # `--python` may name an environment's folder
        return str(Path(found) / "bin" / "python")
    return _read_shebang(found) if "pip" in Path(found).name else found


def _find_uv_interpreter(command: PipCommand, environment: Mapping[str, str]) -> str:
    path = environment.get("PATH")
    if named := environment.get("UV_PYTHON"):
        return shutil.which(named, path=path) or ""
    if "system" in command.other_options or environment.get("UV_SYSTEM_PYTHON", "") in ("1", "true"):
        return shutil.which("python3", path=path) or shutil.which("python", path=path) or ""
    if active := environment.get("VIRTUAL_ENV") or environment.get("CONDA_PREFIX"):
        return str(Path(active) / "bin" / "python")
    start = Path(command.folder or ".").resolve()
    for folder in (start, *start.parents):
        if (folder / ".venv" / "pyvenv.cfg").exists():
            return str(folder / ".venv" / "bin" / "python")
    return ""


def _read_shebang(script: str) -> str:
    try:
        with Path(script).open("rb") as file:
            start = file.read(512)
    except OSError:
        return ""
    match = _EXEC.search(start) or _SHEBANG.match(start)
    program = os.fsdecode(match[1]) if match else ""
    # A launcher of pyenv or conda is a shell script: whom it leads to is not known.
    return program if "python" in Path(program).name else ""


def _find_other_prefix(interpreter: str) -> str:
    if not os.path.isabs(interpreter):  # noqa: PTH117 - as typed
        return ""
    prefix = Path(os.path.abspath(interpreter)).parent.parent  # noqa: PTH100 - links stay: they tell environments apart
    if os.path.realpath(prefix) == os.path.realpath(sys.prefix):
        return ""
    if (prefix / "pyvenv.cfg").exists():
        return str(prefix)
    # From an environment of its own (without the system's packages) a change to the system is not seen.
    return str(prefix) if sys.prefix != sys.base_prefix and not _sees_system_packages() else ""


def _sees_system_packages() -> bool:
    try:
        text = (Path(sys.prefix) / "pyvenv.cfg").read_text(encoding="utf-8")
    except OSError:
        return True
    return re.search(r"(?mi)^include-system-site-packages\s*=\s*true", text) is not None
