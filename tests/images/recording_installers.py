"""Programs called pip, uv and conda that install nothing: they write down what they were asked for.

With them real IPython runs notebook cells, and what it really starts can be compared with what was read.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tierproof.guard.commands.pip_command import PipCommand, parse_pip_arguments

_PROGRAM = """#!{python}
import json, os, sys
with open(os.environ["RECORD"], "a") as file:
    file.write(json.dumps([{name!r}, *sys.argv[1:]]) + "\\n")
"""
_MODULE = """
import json, os, sys
def main(arguments=None):
    with open(os.environ["RECORD"], "a") as file:
        file.write(json.dumps([{name!r}, *(sys.argv[1:] if arguments is None else arguments)]) + "\\n")
    return 0
"""
_RUN = """
import json, os, sys, warnings
warnings.simplefilter("ignore")
from IPython.core.interactiveshell import InteractiveShell
cases = json.load(open(sys.argv[1]))
shell = InteractiveShell.instance()
home = os.getcwd()
told = os.environ.copy()
# Colab's own.
shell.register_magic_function(lambda line: shell.system(line), "line", "shell")
shell.register_magic_function(lambda line, cell: shell.run_cell_magic("bash", line, cell), "cell", "shell")
part, parts = int(sys.argv[3]), int(sys.argv[4])
for number, cells in list(enumerate(cases))[part::parts]:
    os.environ.clear()
    os.environ.update(told, RECORD=f"{sys.argv[2]}/{number}")
    folder = f"{sys.argv[2]}/case{number}"
    os.makedirs(folder)
    os.chdir(folder)
    shell.reset(new_session=False)
    for cell in cells:
        shell.run_cell(cell)
"""


# IPython waits a tenth of a second for each program that it starts.
_SHELLS = 4


def record_installs(cases: list[list[str]], folder: Path) -> list[list[PipCommand]]:
    """Run each case, a list of cells, in IPython; give the commands that were really started, in their order."""
    bin_folder, modules = folder / "bin", folder / "modules"
    bin_folder.mkdir()
    for name in ("pip", "pip3", "uv", "conda", "mamba", "python", "python3"):
        program = bin_folder / name
        is_python = name.startswith("python")
        program.write_text(
            f'#!/bin/sh\nexec {sys.executable} "$@"\n'
            if is_python
            else _PROGRAM.format(python=sys.executable, name=name)
        )
        program.chmod(0o755)
    for name in ("pip", "uv", "tierproof"):
        (modules / name).mkdir(parents=True)
        (modules / name / "__main__.py").write_text(_MODULE.format(name=name) + "main()\n")
        (modules / name / "__init__.py").write_text(_MODULE.format(name=name))
    (modules / "pip" / "_internal.py").write_text(_MODULE.format(name="pip"))
    (modules / "tierproof" / "__init__.py").write_text(
        _MODULE.format(name="pip") + "def install(*words, **_): main(['install', *words])\n"
    )
    (folder / "run.py").write_text(_RUN)
    (folder / "cases.json").write_text(json.dumps(cases))
    (folder / "work").mkdir()
    # The stand-in for tierproof is none of the sources whose coverage is measured.
    told = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    path = os.pathsep.join([str(bin_folder), os.environ.get("PATH", "")])
    shells = [
        subprocess.Popen(
            [
                sys.executable,
                folder / "run.py",
                folder / "cases.json",
                folder / "work",
                str(part),
                str(_SHELLS),
            ],
            env={
                **told,
                "PATH": path,
                "PYTHONPATH": str(modules),
                "IPYTHONDIR": str(folder / f"ipython{part}"),
                "SHELL": "/bin/bash",
            },
            cwd=folder / "work",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for part in range(_SHELLS)
    ]
    for shell in shells:
        said, _ = shell.communicate(timeout=240)
        assert shell.returncode == 0, said[-3000:]
    return [_read_record(folder / "work" / str(number)) for number in range(len(cases))]


def _read_record(path: Path) -> list[PipCommand]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [
        command
        for line in lines
        for command in parse_pip_arguments(json.loads(line))
        if command.changes_packages
    ]
