"""Replace this process by another program, which takes over its terminal, signals and exit code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tierproof.errors import UsageError

_PYTHON = re.compile(r"python(3|3\.\d+)?(\.exe)?\Z")


def find_program(name: str, environment: Mapping[str, str]) -> str:
    """Find a program on PATH; `python` is the interpreter that runs this.

    Raises:
        UsageError: there is none of that name.
    """
    if _PYTHON.match(name) and name.removesuffix(".exe") in _name_this_python():
        return sys.executable
    found = shutil.which(name, path=environment.get("PATH"))
    if found is not None:
        return found
    if os.sep in name and Path(name).is_file():
        raise UsageError(
            f"{name} is not executable",
            hint=f"Run `chmod +x {name}`, or write its interpreter before it, as in: python {name}",
        )
    raise UsageError(
        f"there is no command {name!r}",
        hint=f"{name!r} is neither on PATH nor a script of a `--with` package. Write the command and its arguments "
        "after `--`.",
    )


def replace_process(program: str, command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run `program` in place of this process; where the system cannot do that, wait for it.

    Args:
        program: its path.
        command: its name and arguments.
        environment: its variables.

    Returns:
        its exit code, where this process went on.

    Raises:
        UsageError: the system cannot run it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    arguments = [program, *command[1:]]
    try:
        if sys.platform == "win32":
            return subprocess.run(arguments, env=dict(environment), check=False).returncode
        os.execve(program, arguments, dict(environment))
    except OSError as error:
        raise UsageError(
            f"{program} cannot be run: {error.strerror or error}",
            hint="Check that it was built for this system; a script needs a first line such as #!/bin/sh.",
        ) from error


def _name_this_python() -> set[str]:
    major, minor = sys.version_info[:2]
    return {"python", f"python{major}", f"python{major}.{minor}"}
