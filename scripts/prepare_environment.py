"""Make the virtual environment and install into it what a make target needs, once.

    python scripts/prepare_environment.py .venv test lint

The first stage, `base`, installs torch at the one version of pyproject's `torch` group, then tierproof
itself, editable. Every further stage is a dependency group. A finished stage leaves a stamp that carries a
hash of pyproject.toml, so a repeated run costs nothing and a changed pyproject runs the stage again. An
environment that was left half-made, or whose folder was moved, is made anew.

Needs the standard library only. Groups are read here, because pip knows `--group` only since 25.1.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = "hf,plots"
# Python compiles what is imported; pip would compile all of torch, which takes longer than to unpack it.
PIP_OPTIONS = ("--quiet", "--disable-pip-version-check", "--no-compile")


class PreparationError(Exception):
    """The environment could not be made; the message says which step failed."""


class PreparedEnvironment:
    """A virtual environment with its stamps.

    Args:
        folder: where it is, or will be.
        pyproject: bytes of pyproject.toml; stamps are keyed by their hash.
    """

    def __init__(self, folder: Path, pyproject: bytes) -> None:
        self.folder = folder
        self.stamps = folder / ".prepared"
        self.groups: dict[str, list[str]] = tomllib.loads(pyproject.decode())["dependency-groups"]
        self.key = hashlib.sha256(pyproject).hexdigest()[:16]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def unfinished(self) -> Path:
        """Present while pip writes; still present afterwards when that was cut off."""
        return self.stamps / "unfinished"

    @property
    def location(self) -> Path:
        """Holds the folder's path: launchers and the editable install break when it is moved."""
        return self.stamps / "location"

    def prepare(self, stages: list[str]) -> None:
        """Make the environment where it is not usable, then install the stages that have no stamp."""
        unknown = [stage for stage in stages if stage not in self.groups]
        if unknown:
            raise PreparationError(f"pyproject.toml has no dependency group {unknown[0]!r}")
        reason = self._reason_to_rebuild()
        if reason:
            self._create(reason)
        self._run_stage("base", self.groups["torch"], ["--editable", f".[{EXTRAS}]"])
        for stage in stages:
            self._run_stage(stage, self.groups[stage])

    def _reason_to_rebuild(self) -> str:
        if not self.folder.exists():
            return "there is none"
        if self.unfinished.exists():
            return "an earlier install was cut off"
        if self.location.exists() and self.location.read_text(encoding="utf-8") != str(self.folder.resolve()):
            return "it was moved"
        probe = [str(self.python), "-c", "import pip, sys; sys.exit(sys.version_info < (3, 11))"]
        try:
            works = subprocess.run(probe, check=False, capture_output=True).returncode == 0
        except OSError:
            works = False
        return "" if works else "it does not run"

    def _create(self, reason: str) -> None:
        say(f"making {self.folder} ({reason}) with {sys.executable}")
        if self.folder.is_symlink():
            self.folder.unlink()
        elif self.folder.exists():
            shutil.rmtree(self.folder)
        self._begin()
        if has_module("ensurepip"):
            run([sys.executable, "-m", "venv", str(self.folder)])
        else:  # Debian splits ensurepip off; this interpreter's own pip can fill the environment
            run([sys.executable, "-m", "venv", "--without-pip", str(self.folder)])
            run([sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet", "pip"])
        self.location.write_text(str(self.folder.resolve()), encoding="utf-8")
        self.unfinished.unlink()

    def _run_stage(self, stage: str, *installs: list[str]) -> None:
        stamp = self.stamps / f"{stage}-{self.key}"
        if stamp.exists():
            return
        self._begin()
        for requirements in installs:
            say(f"installing {' '.join(requirements)}")
            try:
                run([str(self.python), "-I", "-m", "pip", "install", *PIP_OPTIONS, *requirements])
            except PreparationError:
                self.unfinished.unlink()  # pip gave up in good order: what is installed is whole
                raise
        for outdated in self.stamps.glob(f"{stage}-*"):
            outdated.unlink()
        stamp.touch()
        self.unfinished.unlink()

    def _begin(self) -> None:
        self.stamps.mkdir(parents=True, exist_ok=True)
        self.unfinished.touch()


def has_module(name: str) -> bool:
    """Whether this interpreter has a module of that name."""
    return importlib.util.find_spec(name) is not None


def run(command: list[str]) -> None:
    """Run a step and let its output through.

    Raises:
        PreparationError: when it fails.
    """
    if subprocess.run(command, check=False, cwd=ROOT).returncode:
        raise PreparationError(f"this step failed: {' '.join(command)}")


def say(text: str) -> None:
    """Tell the user what is going on."""
    print(f"[environment] {text}", flush=True)


def main() -> int:
    """Prepare what the command line names; 0 when it is ready."""
    parser = argparse.ArgumentParser(description="Make the virtual environment that the make targets use.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("groups", nargs="*")
    arguments = parser.parse_args()
    environment = PreparedEnvironment(arguments.folder.absolute(), (ROOT / "pyproject.toml").read_bytes())
    with Path(__file__).open(encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two targets of one `make -j` must not install at once
        try:
            environment.prepare(arguments.groups)
        except PreparationError as error:
            print(f"[environment] {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
