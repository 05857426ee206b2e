"""TOML of strangers: what is nested too deeply is no valid text, wherever it is read."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tierproof.errors import UsageError
from tierproof.guard.commands.parse_toml import parse_toml
from tierproof.guard.commands.requirement import parse_requirements
from tierproof.guard.resolve.sdist_metadata import read_project_folder
from tierproof.images.read.toml_document import read_toml

DEEP = "a = " + "[" * 100_000


def test_deep_nesting_is_an_error_of_the_text(tmp_path: Path) -> None:
    assert parse_toml("a = 1") == {"a": 1}
    with pytest.raises(tomllib.TOMLDecodeError, match="nested too deeply"):
        parse_toml(DEEP)
    (tmp_path / "pylock.toml").write_text(DEEP)
    with pytest.raises(UsageError, match="nested too deeply"):
        read_toml(tmp_path / "pylock.toml")


def test_a_project_that_is_nested_too_deeply_declares_nothing(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(DEEP)
    (parsed,) = parse_requirements([str(tmp_path)])
    assert parsed.name == ""
    assert read_project_folder(tmp_path) is None


@pytest.mark.parametrize("value", ["1", "'captum'", "{ a = 1 }", "true"])
def test_a_project_with_values_of_other_kinds_declares_none_of_them(tmp_path: Path, value: str) -> None:
    keys = "".join(
        f"{key} = {value}\n" for key in ("dynamic", "dependencies", "optional-dependencies", "version")
    )
    (tmp_path / "pyproject.toml").write_text(f"[project]\nname = 'mine'\n{keys}")
    project = read_project_folder(tmp_path)
    assert project is not None
    assert project.requires == ()
