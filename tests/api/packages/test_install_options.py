"""The options of an install are one table: the command line, the magic and `tp.install` agree with it."""

from __future__ import annotations

import inspect
from pathlib import Path

import click
import pytest

from tierproof.api.packages import read_extras
from tierproof.api.packages.install import install
from tierproof.api.packages.install_options import INSTALL_OPTIONS, read_keywords, read_requirements
from tierproof.cli.commands import tierproof as commands
from tierproof.errors import UsageError

OWN_TO_THE_FUNCTION = {"requirements", "limit_s", "on_step"}
OWN_TO_THE_COMMAND = {"requirements", "files", "extras", "as_json", "debug"}


def read_command_line(*words: str) -> dict[str, object]:
    command = commands.commands["install"]
    assert isinstance(command, click.Command)
    given = command.make_context("install", list(words)).params
    return dict(read_keywords(given))


def test_nothing_given_is_what_the_function_does_by_default() -> None:
    parameters = inspect.signature(install).parameters
    defaults = {name: each.default for name, each in parameters.items() if name not in OWN_TO_THE_FUNCTION}
    assert read_command_line("a") == defaults


def test_each_option_sets_its_keyword_alone() -> None:
    default = read_command_line("a")
    for option in INSTALL_OPTIONS:
        words = (option.flag, "b") if option.takes else (option.flag,)
        expected = ("b",) if option.takes else option.sets
        assert read_command_line("a", *words) == default | {option.keyword: expected}
        assert default[option.keyword] != expected


def test_the_command_has_these_options_and_no_other() -> None:
    parameters = commands.commands["install"].params
    names = {each.name for each in parameters} - OWN_TO_THE_COMMAND
    assert names == {option.keyword for option in INSTALL_OPTIONS}
    flags = {flag for each in parameters for flag in each.opts if flag.startswith("--")}
    assert flags >= {option.flag for option in INSTALL_OPTIONS}


def test_an_extra_is_what_tierproof_declares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_extras, "read_extras", lambda: {"tier2": ("captum>=0.7",)})
    assert read_requirements(["a"], [], ["tier2"]) == ("a", "captum>=0.7")
    with pytest.raises(UsageError, match="no extra 'tier9'"):
        read_requirements([], [], ["tier9"])


def test_files_come_after_what_was_typed(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("captum\n-r more.txt\n")
    (tmp_path / "more.txt").write_text("optuna>=4  # why\n")
    assert read_requirements(["a"], [tmp_path / "r.txt"]) == ("a", "captum", "optuna>=4")
    with pytest.raises(UsageError):
        read_requirements([], [str(tmp_path / "absent.txt")])
