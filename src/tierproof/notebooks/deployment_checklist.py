"""The maintainers' deployment checklist: the one list. The first cell carries it; each item can be verified."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass

from tierproof._version import __version__
from tierproof.core.addresses import colab_address
from tierproof.notebooks.form_fields import find_fields
from tierproof.notebooks.notebook_run import NotebookRun

MOST_LINES = 40  # what a laptop shows without scrolling
MOST_SECONDS = 180.0
_INSTALLING_CELLS = ("install", "recover")
_ASKING = re.compile(r"\b(input|getpass|raw_input)\s*\(")
_INSTALLING = re.compile(r"^\s*[!%].*\b(pip|conda|apt)\b|\bsubprocess\b|\bos\.system\b", re.MULTILINE)
_VERDICT = re.compile(r"Verdict: (passed|failed|inconclusive|not judged)")
_WORDS = {"pass": "passed", "fail": "failed", "inconclusive": "inconclusive"}


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """One item.

    Attributes:
        name: short, for the command's output.
        text: as the first cell carries it.
        verify: gives what is wrong in one sentence; empty where the item holds.
    """

    name: str
    text: str
    verify: Callable[[NotebookRun], str]


def _verify_recipe(evidence: NotebookRun) -> str:
    if evidence.expected is None:
        return f"there is no recipe {evidence.name!r}"
    if evidence.notebook == evidence.expected:
        return ""
    cells = {cell["id"]: cell for cell in evidence.expected["cells"]}
    differing = [
        str(cell.get("id", "without an id"))
        for cell in evidence.notebook.get("cells", ())
        if cell != cells.get(cell.get("id"))
    ]
    return f"it differs from its recipe in: {', '.join(differing) or 'missing cells or metadata'}"


def _verify_format(evidence: NotebookRun) -> str:
    version = (evidence.notebook.get("nbformat"), evidence.notebook.get("nbformat_minor"))
    if version != (4, 5):
        return f"its format is {version[0]}.{version[1]}"
    return "; ".join(evidence.problems)


def _verify_stripped(evidence: NotebookRun) -> str:
    kept = [
        str(cell.get("id"))
        for cell in evidence.notebook.get("cells", ())
        if cell.get("outputs") or cell.get("execution_count") is not None
    ]
    return f"these cells contain outputs or execution counts: {', '.join(kept)}" if kept else ""


def _verify_colab(evidence: NotebookRun) -> str:
    if colab_address(evidence.name) not in evidence.first_text:
        return "the badge in the first cell does not open this notebook"
    if evidence.notebook.get("metadata", {}).get("colab", {}).get("name") != f"{evidence.name}.ipynb":
        return "the Colab metadata names another file"
    problems = [
        field.problem for code in evidence.code.values() for field in find_fields(code) if field.problem
    ]
    return "; ".join(problems)


def _verify_version(evidence: NotebookRun) -> str:
    if f"tierproof {__version__}" not in evidence.first_text:
        return f"the first cell does not name version {__version__}"
    wrong = [
        name
        for name in _INSTALLING_CELLS
        if name in evidence.code and f"tierproof=={__version__}" not in evidence.code[name]
    ]
    return f"another version is installed by these cells: {', '.join(wrong)}" if wrong else ""


def _verify_installs(evidence: NotebookRun) -> str:
    wrong = [
        name
        for name, code in evidence.code.items()
        if name not in _INSTALLING_CELLS and _INSTALLING.search(code)
    ]
    return f"these cells run programs: {', '.join(wrong)}" if wrong else ""


def _verify_python(evidence: NotebookRun) -> str:
    for name, code in evidence.code.items():
        try:
            ast.parse(code)
        except SyntaxError as error:
            return f"cell {name} is not valid Python: {error.msg}"
        if _ASKING.search(code):
            return f"cell {name} asks for input"
    return ""


def _verify_run(evidence: NotebookRun) -> str:
    failed = [f"{cell.id}: {cell.error}" for cell in evidence.cells if cell.error]
    if failed:
        return "; ".join(failed)
    ran = [cell.id for cell in evidence.cells]
    return (
        ""
        if ran == list(evidence.code)
        else f"it stopped {f'after cell {ran[-1]}' if ran else 'before the first cell'}"
    )


def _verify_screenful(evidence: NotebookRun) -> str:
    long = [
        f"{cell.id} ({cell.text.count(chr(10)) + 1} lines)"
        for cell in evidence.cells
        if cell.text.count("\n") >= MOST_LINES
    ]
    return f"these cells print more than {MOST_LINES} lines: {', '.join(long)}" if long else ""


def _verify_base(evidence: NotebookRun) -> str:
    if not evidence.before.hashes:
        return "the installed files were not hashed"
    changes = evidence.before.find_changes(evidence.after)
    return f"{len(changes)} changes, the first: {changes[0]}" if changes else ""


def _verify_time(evidence: NotebookRun) -> str:
    return f"it took {evidence.seconds:.0f} s" if evidence.seconds > MOST_SECONDS else ""


def _verify_verdict(evidence: NotebookRun) -> str:
    if "conclude" not in evidence.code:
        return ""
    said = _VERDICT.search(evidence.cells[-1].text) if evidence.cells else None
    if said is None:
        return "the last cell prints no verdict"
    found = "not judged" if evidence.report is None else _WORDS[str(evidence.report["verdict"])]
    return "" if said[1] == found else f"the last cell says {said[1]}, but the report says {found}"


CHECKLIST: tuple[ChecklistItem, ...] = (
    ChecklistItem("recipe", "It matches its recipe and was not edited by hand.", _verify_recipe),
    ChecklistItem("format", "It is a valid notebook in format 4.5.", _verify_format),
    ChecklistItem("stripped", "It contains no outputs and no execution counts.", _verify_stripped),
    ChecklistItem(
        "colab", "Its badge opens this file on Colab, and Colab can read its forms.", _verify_colab
    ),
    ChecklistItem("version", "It names and installs the released version.", _verify_version),
    ChecklistItem(
        "installs", "Only the install and recovery cells run pip, and only for tierproof.", _verify_installs
    ),
    ChecklistItem("python", "Every code cell is plain Python and asks for no input.", _verify_python),
    ChecklistItem("run", "It runs from top to bottom in a fresh kernel without an error.", _verify_run),
    ChecklistItem("screenful", "No cell prints more than a screenful.", _verify_screenful),
    ChecklistItem("base", "The run changes no file that was installed before it.", _verify_base),
    ChecklistItem("time", "It runs in at most three minutes.", _verify_time),
    ChecklistItem("verdict", "The last cell prints the verdict of the report.", _verify_verdict),
)
