"""Whose packages an install command changes: this interpreter's, or another environment's."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tierproof.guard.commands.pip_command import PipCommand, Program

# Where the kernel of a hosted image has its Python: anything else is an environment of its own.
_KERNEL_PREFIXES = ("/usr", "/usr/local", "/opt/conda")
_SHEBANG = re.compile(rb"#!\s*(\S+)")
_EXEC = re.compile(rb"""'''exec' "?([^"'\s]+)""")  # how pip writes a shebang that is too long


def changes_other_environment(command: PipCommand, environment: Mapping[str, str]) -> str:
    """Return the other environment that `command` surely changes; empty if it is, or may be, this one.

    Args:
        command: of pip or uv.
        environment: the variables that it would run with.
    """
    activated = dict(command.environment).get("VIRTUAL_ENV", "")
    if activated and "/" not in command.interpreter:
        prefix = Path(os.path.expanduser(activated))  # noqa: PTH111 - as typed
        # A folder that is no environment leaves the kernel's pip in place.
        if (prefix / "pyvenv.cfg").exists():
            return _find_other_prefix(str(prefix.absolute() / "bin" / "python"))
    interpreter = _find_interpreter(command, environment)
    return _find_other_prefix(interpreter) if interpreter else ""


def names_other_environment(command: PipCommand, python: str) -> str:
    """Return the other environment on another machine that `command` names; empty if it is, or may be, the kernel's.

    Args:
        command: of pip, uv or conda.
        python: the kernel's version there.
    """
    if command.program is Program.CONDA:
        return "" if command.elsewhere in ("", "base", *_KERNEL_PREFIXES) else command.elsewhere
    name, activated = command.interpreter, dict(command.environment).get("VIRTUAL_ENV", "")
    if activated and "/" not in name:
        return "" if activated in _KERNEL_PREFIXES else activated
    if "/" in name:
        inside = any(name.startswith(f"{prefix}/") or name == prefix for prefix in _KERNEL_PREFIXES)
        return "" if inside and not _names_other_python(name, python) else name
    return name if _names_other_python(name, python) else ""


def _names_other_python(name: str, python: str) -> bool:
    """Tell whether a program's name carries another version: `python3.10`, `pip3.10`, `pip2`."""
    match = re.search(r"(?:python|pip)(\d+(?:\.\d+)?)(?:\.\d+)*\Z", name.rpartition("/")[2])
    return match is not None and not f"{python}.".startswith(f"{match[1]}.")


def _find_interpreter(command: PipCommand, environment: Mapping[str, str]) -> str:
    """Return the python that the command works for; empty if that is not known."""
    path = environment.get("PATH")
    if command.program is Program.CONDA:
        return ""
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
