"""A throw-away environment: a bare virtual environment, a package index made of tiny wheels, its own data folder."""

from __future__ import annotations

import atexit
import functools
import hashlib
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import packaging
import pytest

from guard.notebook_kernel import SOURCE, find_uv
from guard.wheelhouse import Wheelhouse

COVERAGE_VARIABLES = {"COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"}
TESTS = Path(__file__).resolve().parents[1]


def copy_interpreter(target: Path) -> Path:
    """Copy the running interpreter without its packages, so that it is no virtual environment; its python.

    Such a one has a user site, as the Python of a hosted notebook has.
    """
    source = Path(sys.base_prefix)
    library = Path("lib") / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (target / "bin").mkdir(parents=True)
    (target / "lib").mkdir()
    shutil.copy2(os.path.realpath(sys.executable), target / "bin" / "python")
    for name in source.glob("lib/libpython*"):
        shutil.copy2(name, target / "lib" / name.name)
    unneeded = shutil.ignore_patterns("site-packages", "test", "tests", "idlelib", "__pycache__", "ensurepip")
    shutil.copytree(source / library, target / library, ignore=unneeded, symlinks=True)
    (target / library / "site-packages").mkdir(exist_ok=True)
    python = target / "bin" / "python"
    told = subprocess.run(
        [python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=False
    )
    if told.stdout.strip() != str(target):
        pytest.skip("this interpreter cannot be copied")
    return python


@functools.cache
def make_template(interpreter: str) -> Path:
    """A bare virtual environment that others are copies of: no file of it that is used names its place."""
    folder = Path(tempfile.mkdtemp(prefix="template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    subprocess.run([interpreter, "-m", "venv", "--without-pip", folder / "env"], check=True)
    return folder / "env"


@dataclass
class Throwaway:
    """Everything lies in `folder`; `base` packages are really installed, by uv.

    `hosted` makes a copy of the interpreter in place of a virtual environment.
    """

    folder: Path
    interpreter: str = sys.executable
    hosted: bool = False

    def __post_init__(self) -> None:
        self.index = Wheelhouse(self.folder / "index")
        self.data = self.folder / "data"
        environment = self.folder / "env"
        if self.hosted:
            copy_interpreter(environment)
        else:
            shutil.copytree(make_template(self.interpreter), environment, symlinks=True)
        self.python = environment / "bin" / "python"
        (self.site,) = environment.glob("lib/python3*/site-packages")
        self.dependencies = self.folder / "dependencies"
        self.dependencies.mkdir()
        for package in (packaging, click):
            source = Path(str(package.__file__)).parent
            (self.dependencies / source.name).symlink_to(source)
        self._measure_coverage()

    def _measure_coverage(self) -> None:
        """Let this environment's processes be measured where the tests' own are."""
        if not COVERAGE_VARIABLES & set(os.environ):
            return
        source = Path(str(importlib.import_module("coverage").__file__)).parent
        (self.dependencies / source.name).symlink_to(source)
        (self.dependencies / "sitecustomize.py").write_text("import coverage\ncoverage.process_startup()\n")

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "UV_", "PIP_", "VIRTUAL_ENV"))
        }
        path = [SOURCE, TESTS, *([self.dependencies] if hasattr(self, "dependencies") else [])]
        return {
            **kept,
            "PATH": os.pathsep.join([str(Path(find_uv()).parent), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "TIERPROOF_DATA": str(self.data),
            "HOME": str(self.folder / "home"),
            "UV_DEFAULT_INDEX": self.index.url,
            "UV_CACHE_DIR": str(self.folder / "cache"),
            "NO_COLOR": "1",
        }

    def add_base(self, *requirements: str) -> None:
        """Install packages of the index as an ordinary installer does."""
        command = [find_uv(), "pip", "install", "-q", "--link-mode", "copy", "--python", str(self.python)]
        command += ["--break-system-packages"] if self.hosted else []
        subprocess.run([*command, *requirements], env=self.environment, check=True)

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run the environment's python."""
        options = {"env": self.environment, **options}
        return subprocess.run(
            [self.python, *arguments], capture_output=True, text=True, check=False, **options
        )

    def ask(self, code: str) -> Any:
        """Run code that prints one JSON document at its end, and give that."""
        done = self.run("-c", code)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `tierproof`."""
        return self.run("-m", "tierproof", *arguments, cwd=self.folder)

    def install(self, *arguments: str) -> dict[str, Any]:
        """Run `tierproof install --json`, which is to succeed."""
        done = self.command("install", "--json", *arguments)
        assert done.returncode == 0, done.stderr[-3000:]
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def find_version(self, module: str) -> str | None:
        """The version that a fresh process imports; None where it does not import."""
        done = self.run("-c", f"import {module}; print({module}.__version__)")
        return done.stdout.strip() if done.returncode == 0 else None

    def read_path(self) -> list[str]:
        """`sys.path` of a fresh process."""
        found: list[str] = self.ask("import json, sys; print(json.dumps(sys.path))")
        return found

    def stamp_base(self) -> dict[str, str]:
        """Hashes of every file of the base, bytecode and the path file aside."""
        return {
            str(path.relative_to(self.site)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.site.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts and path.name != "tierproof-packages.pth"
        }
