"""The notebooks are what their recipes build, and each item of the deployment checklist bites."""

from __future__ import annotations

import ast
import copy
import json
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guard.fake_site import install
from guard.throwaway import make_template
from tierproof.cli.commands import tierproof
from tierproof.errors import UsageError
from tierproof.notebooks.base_files import BaseFiles, read_base_files
from tierproof.notebooks.build_notebook import build_notebook, find_outdated, format_notebook, write_notebooks
from tierproof.notebooks.check_notebook import check_notebook, read_notebook
from tierproof.notebooks.deployment_checklist import CHECKLIST
from tierproof.notebooks.form_fields import fill_form, find_fields, set_fields
from tierproof.notebooks.notebook_run import CellRun, NotebookRun
from tierproof.notebooks.read_recipe import NAMES, format_checklist, read_recipe
from tierproof.session.session import NOTEBOOK_NAMES

nbformat = pytest.importorskip("nbformat", reason="comes with the test group")
ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"


def test_the_files_in_git_are_what_the_recipes_build() -> None:
    assert find_outdated(ROOT / "notebooks") == ()


def test_an_edit_by_hand_is_noticed(tmp_path: Path) -> None:
    paths = write_notebooks(tmp_path)
    assert find_outdated(tmp_path) == ()
    paths[0].write_text(paths[0].read_text().replace("Check the model", "Check my model"))
    paths[1].unlink()
    assert len(find_outdated(tmp_path)) == 2


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_valid_without_a_warning_and_the_same_in_every_build(name: str, tmp_path: Path) -> None:
    text = format_notebook(read_recipe(name))
    assert text == format_notebook(read_recipe(name))
    path = tmp_path / f"{name}.ipynb"
    path.write_text(text)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        notebook, problems = read_notebook(path)
    assert problems == ()
    assert notebook.nbformat_minor == 5
    assert format_checklist() in notebook.cells[0].source
    assert all(item.text in format_checklist() for item in CHECKLIST)


def test_quickstart_has_six_cells() -> None:
    assert len(read_recipe("quickstart").cells) == 6


@pytest.mark.parametrize("name", NAMES)
def test_names_that_cells_assign_are_known_as_the_notebooks_own(name: str) -> None:
    assigned = set()
    for cell in read_recipe(name).code_cells:
        for node in ast.parse(cell.source).body:
            match node:
                case ast.Assign(targets=[ast.Name(target)]):
                    assigned.add(target)
                case ast.FunctionDef(name=target):
                    assigned.add(target)
    assert assigned - {"model", "optimizer", "step", "texts"} <= NOTEBOOK_NAMES


def test_every_cell_is_short_enough_to_read() -> None:
    for name in NAMES:
        for cell in read_recipe(name).code_cells:
            assert cell.source.count("\n") < 40, f"{name}: {cell.id}"


# Form fields


def test_forms_are_read_and_filled() -> None:
    notebook = build_notebook(read_recipe("validate"))
    fields = {field.name: field for cell in notebook.cells for field in find_fields(cell.source)}
    assert not [field for field in fields.values() if field.problem]
    assert fields["install"].choices == ("auto", "ask", "never")
    fill_form(notebook, {"source": "path", "value": 'a "quoted" name', "download": True})
    filled = {field.name: field.value for cell in notebook.cells for field in find_fields(cell.source)}
    assert (filled["source"], filled["value"], filled["download"]) == ("path", 'a "quoted" name', True)
    with pytest.raises(UsageError, match="no cell has a field 'nope'"):
        fill_form(notebook, {"nope": 1})


@pytest.mark.parametrize(
    "line",
    [
        'source = "x"  # @param ["a", "b"]',
        'source = "x"  # @param {type: "text"}',
        'source = x + 1  # @param {type: "string"}',
        "# @param source",
    ],
)
def test_a_form_that_colab_could_not_read_is_a_problem(line: str) -> None:
    (field,) = find_fields(line)
    assert field.problem


def test_lines_without_a_form_are_left_alone() -> None:
    assert (
        set_fields("value = 1\nvalue = 2  # a comment", {"value": 3}) == "value = 1\nvalue = 2  # a comment"
    )


# The checklist


def evidence(**changes: Any) -> NotebookRun:
    notebook = build_notebook(read_recipe("validate"))
    cells = tuple(CellRun(cell.id, 1.0) for cell in read_recipe("validate").code_cells[:-1])
    base = BaseFiles({"numpy": "2.0.2"}, {"numpy/__init__.py": "abc"})
    values = {
        "name": "validate",
        "notebook": notebook,
        "expected": copy.deepcopy(notebook),
        "cells": (*cells, CellRun("conclude", 1.0, "Verdict: passed.")),
        "before": base,
        "after": base,
        "report": {"verdict": "pass"},
    }
    return NotebookRun(**{**values, **changes})


def edited(change: Callable[[Any], None]) -> NotebookRun:
    notebook = build_notebook(read_recipe("validate"))
    change(notebook)
    return evidence(notebook=notebook)


def edit_source(index: int, old: str, new: str) -> Callable[[Any], None]:
    def change(notebook: Any) -> None:
        cell = notebook.cells[index]
        assert old in cell.source
        cell.source = cell.source.replace(old, new)

    return change


def last_cell(text: str, **more: Any) -> tuple[CellRun, ...]:
    return (*evidence().cells[:-1], CellRun("conclude", 1.0, text, **more))


VIOLATIONS: dict[str, Callable[[], NotebookRun]] = {
    "recipe": lambda: edited(edit_source(3, "session.check(tier=tier)", "session.check(tier=tier) ")),
    "format": lambda: evidence(problems=("'id' is a required property",)),
    "stripped": lambda: edited(lambda notebook: notebook.cells[1].update(execution_count=3)),
    "colab": lambda: edited(edit_source(2, '"example"  # @param', '"nothing"  # @param')),
    "version": lambda: edited(edit_source(1, "tierproof==", "tierproof>=")),
    "installs": lambda: edited(edit_source(3, "session", "!pip install -q captum\nsession")),
    "python": lambda: edited(edit_source(3, "session.check(tier=tier)", "input('go on?')")),
    "run": lambda: evidence(cells=last_cell("Verdict: passed.", error="ValueError: no")),
    "screenful": lambda: evidence(cells=last_cell("Verdict: passed.\n" + "line\n" * 60)),
    "base": lambda: evidence(after=BaseFiles({"numpy": "2.0.2"}, {"numpy/__init__.py": "other"})),
    "time": lambda: evidence(cells=(CellRun("install", 500.0),)),
    "verdict": lambda: evidence(report={"verdict": "fail"}),
}


def test_a_sound_run_passes_every_item() -> None:
    assert [item.name for item in CHECKLIST if item.verify(evidence())] == []


@pytest.mark.parametrize("item", CHECKLIST, ids=lambda item: item.name)
def test_a_violation_of_the_item_is_found(item: Any) -> None:
    assert item.verify(VIOLATIONS[item.name]())


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("recipe", lambda: evidence(expected=None)),
        ("format", lambda: edited(lambda notebook: notebook.update(nbformat_minor=2))),
        ("colab", lambda: edited(edit_source(0, "validate.ipynb", "other.ipynb"))),
        ("colab", lambda: edited(lambda notebook: notebook.metadata.pop("colab"))),
        ("version", lambda: edited(edit_source(0, "tierproof 0", "tierproof 9"))),
        ("python", lambda: edited(edit_source(3, "session.check(tier=tier)", "session.check("))),
        ("run", lambda: evidence(cells=())),
        ("base", lambda: evidence(before=BaseFiles())),
        ("base", lambda: evidence(after=BaseFiles({}, {"numpy/__init__.py": "abc"}))),
        ("verdict", lambda: evidence(cells=last_cell("nothing"))),
        ("verdict", lambda: evidence(report=None)),
    ],
)
def test_other_violations_are_found(name: str, broken: Callable[[], NotebookRun]) -> None:
    (item,) = (item for item in CHECKLIST if item.name == name)
    assert item.verify(broken())


def test_what_was_added_is_told_apart_from_what_changed() -> None:
    before = BaseFiles({"numpy": "2"}, {"numpy.py": "1"})
    after = BaseFiles({"numpy": "2", "uv": "1"}, {"numpy.py": "1", "uv.py": "2"})
    assert before.find_changes(after) == ()
    assert before.list_added(after) == ("uv 1",)


def test_the_files_of_an_interpreter_are_read_and_hashed_again_where_they_changed(tmp_path: Path) -> None:
    shutil.copytree(make_template(sys.executable), tmp_path / "env", symlinks=True)
    python = str(tmp_path / "env" / "bin" / "python")
    (site,) = (tmp_path / "env").glob("lib/python3*/site-packages")
    install(site, "pack", "1.0", {"pack/__init__.py": "x = 1\n", "pack/other.py": ""})
    (site / "pack" / "seen.pyc").touch()
    before = read_base_files(python)
    assert before.distributions == {"pack": "1.0"}
    assert {"pack/__init__.py", "pack/other.py"} < set(before.hashes)
    assert not [path for path in before.hashes if path.endswith(".pyc")]
    assert before.find_changes(read_base_files(python, before)) == ()
    (site / "pack" / "__init__.py").write_text("x = 2\n")
    (site / "pack" / "other.py").unlink()
    changes = before.find_changes(read_base_files(python, before))
    assert sorted(changes) == ["pack/__init__.py changed", "pack/other.py is gone"]
    untrue = dict.fromkeys(before.hashes, "of the first look")
    assert (
        read_base_files(python, BaseFiles(before.distributions, untrue, before.marks)).hashes[
            "pack-1.0.dist-info/METADATA"
        ]
        == "of the first look"
    )


# In a real kernel, and the command


def test_quickstart_runs_top_to_bottom_in_a_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("ipykernel", reason="comes with the test group")
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    checked = check_notebook(None, "quickstart", python=sys.executable)
    assert checked.ok, checked.describe()
    assert checked.to_dict()["ok"] is True


def run_command(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    code = "from tierproof.cli.main import main; import sys; sys.exit(main())"
    program = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(SOURCE)!r}); {code}", *words]
    return subprocess.run(program, cwd=cwd, capture_output=True, text=True, check=False)


def test_build_writes_and_its_check_tells(tmp_path: Path) -> None:
    absent = run_command("notebook", "build", "--check", cwd=tmp_path)
    assert absent.returncode == 1
    assert "validate.ipynb is missing" in absent.stdout
    assert run_command("notebook", "build", cwd=tmp_path).returncode == 0
    told = run_command("notebook", "build", "--check", "--json", cwd=tmp_path)
    assert (told.returncode, json.loads(told.stdout)["ok"]) == (0, True)


@pytest.mark.parametrize(
    "content", ["", "{}", "no json", '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}']
)
def test_what_is_no_notebook_is_a_usage_error(content: str, tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_text(content)
    told = run_command("notebook", "check", "x.ipynb", cwd=tmp_path)
    assert told.returncode == 2
    assert "Traceback" not in told.stderr
    assert "is not a notebook" in told.stderr


def test_a_missing_notebook_and_a_bad_field_are_usage_errors(tmp_path: Path) -> None:
    assert run_command("notebook", "check", "none.ipynb", cwd=tmp_path).returncode == 2
    told = run_command("notebook", "check", "rescue", "--set", "nothing", cwd=tmp_path)
    assert "is not NAME=VALUE" in told.stderr


def test_the_commands_are_registered() -> None:
    assert set(tierproof.commands["notebook"].commands) == {"build", "check"}
