"""Whose packages a command changes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tierproof.guard.commands.pip_command import parse_pip_commands
from tierproof.guard.foresee.target_interpreter import changes_other_environment


def other(text: str, **variables: str) -> str:
    (command,) = parse_pip_commands(text, {})
    return changes_other_environment(command, {"PATH": "", **variables})


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Another virtual environment, as far as it can be told from outside."""
    folder = tmp_path / "other"
    (folder / "bin").mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text("")
    for name in ("python", "python3"):
        (folder / "bin" / name).touch(mode=0o755)
    (folder / "bin" / "pip").write_text(f"#!{folder}/bin/python\n")
    (folder / "bin" / "pip").chmod(0o755)
    return folder


def test_found_on_the_path(environment: Path) -> None:
    path = str(environment / "bin")
    assert other("pip install x", PATH=path) == str(environment)
    assert other("python3 -m pip install x", PATH=path) == str(environment)
    assert other("uv pip install --system x", PATH=path) == str(environment)
    assert other("uv pip install x", PATH=path, UV_SYSTEM_PYTHON="1") == str(environment)
    assert other("uv pip install x", PATH=path, UV_PYTHON="python3") == str(environment)
    assert other("uv pip install x", PATH=path, CONDA_PREFIX=str(environment)) == str(environment)


def test_an_environment_that_the_script_activates(environment: Path, tmp_path: Path) -> None:
    assert other(f"source {environment}/bin/activate && pip install x") == str(environment)
    assert other(f". {environment}/bin/activate; deactivate; pip install x") == ""
    assert other(f"source {tmp_path}/absent/bin/activate; pip install x") == ""  # the kernel's own then runs


def test_a_project_environment_in_the_folder(environment: Path, tmp_path: Path) -> None:
    environment.rename(tmp_path / ".venv")
    assert other(f"cd {tmp_path} && uv pip install x") == str(tmp_path / ".venv")


def test_a_shebang_that_was_too_long(environment: Path) -> None:
    launcher = environment / "bin" / "pip"
    launcher.write_text(f"#!/bin/sh\n'''exec' {environment}/bin/python \"$0\" \"$@\"\n' '''\n")
    assert other(f"{launcher} install x") == str(environment)


def test_what_is_not_known_counts_as_ours(tmp_path: Path) -> None:
    assert other("pip install x") == ""
    assert other("uv pip install -p 3.12 x") == ""
    assert other(f"{tmp_path}/pip install x") == ""
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip-python").write_text("")
    assert other("python -m pip install x", PATH="relative") == ""
    assert other(f"{sys.executable} -m pip install x") == ""


@pytest.mark.parametrize(("config", "seen"), [("include-system-site-packages = true\n", True), ("", False)])
def test_the_system_seen_from_a_virtual_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str, seen: bool
) -> None:
    system = tmp_path / "usr" / "bin"
    system.mkdir(parents=True)
    (system / "python3").touch(mode=0o755)
    own = tmp_path / "own"
    own.mkdir()
    (own / "pyvenv.cfg").write_text(config)
    monkeypatch.setattr(sys, "prefix", str(own))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "usr"))
    told = other(f"{system}/python3 -m pip install x")
    assert told == ("" if seen else str(tmp_path / "usr"))
    (own / "pyvenv.cfg").unlink()
    assert other(f"{system}/python3 -m pip install x") == ""
