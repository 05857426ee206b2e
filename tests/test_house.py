"""The house keeps its measures: no folder, file or function grows beyond what a stranger can take in."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "tierproof"
FILES = sorted(PACKAGE.rglob("*.py"))
MOST_FILES, MOST_LINES, MOST_FUNCTION_LINES = 25, 400, 60


def test_no_folder_holds_too_many_files() -> None:
    counted = Counter(path.parent for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc")
    assert {str(folder): count for folder, count in counted.items() if count > MOST_FILES} == {}


def test_no_file_is_too_long() -> None:
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}


def test_no_function_is_too_long() -> None:
    long = {}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MOST_FUNCTION_LINES:
                    long[f"{path}:{node.name}"] = length
    assert long == {}


def test_every_room_says_in_one_sentence_what_is_in_it() -> None:
    silent = [
        str(p) for p in FILES if p.name == "__init__.py" and not ast.get_docstring(ast.parse(p.read_text()))
    ]
    assert silent == []


def test_text_leaves_the_command_by_one_way() -> None:
    """Elsewhere a name out of a notebook could reach the terminal with its control characters."""
    ways = re.compile(r"\bclick\.s?echo\(|\bprint\(|\bsys\.std(?:out|err)\.write\(|\.show\(file=")
    room = PACKAGE / "cli"
    allowed = {
        room / "terminal",
        room / "main.py",
    }  # main's own sentence, where nothing may be imported any more
    found = [
        f"{path}: {line.strip()}"
        for path in room.rglob("*.py")
        if not allowed & {path, path.parent}
        for line in path.read_text(encoding="utf-8").splitlines()
        if ways.search(line)
    ]
    assert found == []


def test_text_becomes_html_by_one_way() -> None:
    """`html.escape` alone keeps control characters."""
    found = [
        str(path)
        for path in FILES
        if "html.escape(" in path.read_text(encoding="utf-8") and path.name != "plain_html.py"
    ]
    assert found == []
