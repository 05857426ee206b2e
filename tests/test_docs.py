"""The documents say what the code does: codes, options and links are read from both and compared."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from itertools import chain
from pathlib import Path

import click
import pytest

import tierproof.checks
import tierproof.training.audit.rules
from tierproof.checks.registry import load_checks
from tierproof.cli.check.check import check
from tierproof.model.call.spec import ModelSpec

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FINDING = re.compile(r"\bT\d-[A-Z]+-\d{3}\b")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def find_codes_in_source() -> set[str]:
    """Codes that a check or rule can give: `CODE` of its module with every three-digit number that the file spells."""
    codes = set()
    packages = (tierproof.checks, tierproof.training.audit.rules)
    for found in chain(*(pkgutil.walk_packages(each.__path__, f"{each.__name__}.") for each in packages)):
        module = importlib.import_module(found.name)
        tree = ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8"))
        tree.body = tree.body[1:]  # without the docstring, which the pages are made of
        spelled = [
            n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)
        ]
        codes |= {code for text in spelled for code in FINDING.findall(text)}
        numbers = {text.removeprefix("-") for text in spelled if re.fullmatch(r"-?\d{3}", text)}
        if numbers and hasattr(module, "CODE"):
            codes |= {f"{module.CODE}-{number}" for number in numbers}
    return codes


def test_check_pages_list_every_finding_and_no_other() -> None:
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "checks").glob("*.md"))
    documented = re.findall(r"^\| (?:<a[^>]*></a>)?`(T\d-[A-Z]+-\d{3})`", pages, re.MULTILINE)
    assert len(documented) == len(set(documented)), "a code is listed twice"
    assert set(documented) == find_codes_in_source()


def test_every_finding_has_an_anchor_on_the_page_of_its_check() -> None:
    codes = find_codes_in_source()
    missing = [
        code
        for code in codes
        if f'<a id="{code}"></a>' not in read(f"docs/checks/{code.rpartition('-')[0]}.md")
    ]
    assert codes
    assert missing == []


def test_check_pages_are_what_the_docstrings_say() -> None:
    script = ROOT / "scripts" / "write_check_pages.py"
    result = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_index_of_rooms_is_what_the_packages_say() -> None:
    script = ROOT / "scripts" / "write_room_index.py"
    result = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("page", ["docs/checks.md", "README.md"])
def test_every_check_is_named(page: str) -> None:
    text = read(page)
    assert [item.code for item in load_checks() if f"`{item.code}`" not in text] == []


def test_readme_lists_the_options_of_the_command() -> None:
    offered = {
        option for p in check.params if isinstance(p, click.Option) for option in p.opts if option[:2] == "--"
    }
    table = read("README.md").partition("## Options")[2].partition("\n## ")[0]
    described = set(re.findall(r"--[a-z][a-z-]*", table))
    assert described == offered - {"--output"}  # the table calls it -o


def test_inputs_page_lists_the_fields_of_a_spec() -> None:
    assert [
        name for name in ModelSpec.__dataclass_fields__ if f"`{name}`" not in read("docs/inputs.md")
    ] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []
