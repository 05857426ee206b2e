"""The tree of errors is the one that `tierproof.errors` draws, and each error leads to its entry of the guide."""

from __future__ import annotations

import ast
import functools
import importlib
import re
from pathlib import Path

import pytest

from tierproof import errors
from tierproof.cli.terminal.error_message import ChildError, describe_error, rebuild_error
from tierproof.cli.terminal.show_error import show_error
from tierproof.core.addresses import TROUBLESHOOTING
from tierproof.errors import MissingPackageError, TierproofError, UsageError
from tierproof.session.carry_out import carry_out

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "tierproof"
GUIDE = ROOT / "docs" / "troubleshooting.md"
NODE = re.compile(r"^( {4,})([A-Z]\w+) +([a-z_.]+)$", re.MULTILINE)


@functools.cache
def read_drawn() -> dict[str, tuple[str, str]]:
    """Each class that the docstring draws: its parent and its module."""
    drawn: dict[str, tuple[str, str]] = {}
    path: list[str] = []
    assert errors.__doc__ is not None
    for spaces, name, module in NODE.findall(errors.__doc__):
        depth = (len(spaces) - 4) // 2
        del path[depth:]
        drawn[name] = (path[-1] if path else "", module)
        path.append(name)
    return drawn


@functools.cache
def read_defined() -> dict[str, tuple[str, str]]:
    """Each class of the package's source that derives from TierproofError: its parent and its module."""
    bases: dict[str, tuple[list[str], str]] = {}
    for file in SOURCE.rglob("*.py"):
        module = ".".join(file.relative_to(SOURCE).with_suffix("").parts)
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                bases[node.name] = ([base.id for base in node.bases if isinstance(base, ast.Name)], module)
    found = {"TierproofError": ("", "errors")}
    while True:
        new = {
            name: (parent, module)
            for name, (parents, module) in bases.items()
            for parent in parents
            if parent in found and name not in found
        }
        if not new:
            return found
        found |= new


def load(name: str) -> type[TierproofError]:
    _, module = read_defined()[name]
    return getattr(importlib.import_module(f"tierproof.{module}"), name)


def test_the_docstring_draws_the_whole_tree() -> None:
    assert len(read_drawn()) > 20
    assert read_drawn() == read_defined()


@pytest.mark.parametrize("name", sorted(read_defined()))
def test_each_class_is_where_the_tree_says(name: str) -> None:
    parent, module = read_drawn()[name]
    kind = load(name)
    assert kind.__module__ == f"tierproof.{module}"
    assert parent in ("", *(base.__name__ for base in kind.__bases__))


@pytest.mark.parametrize(
    "name", ["TargetError", "UntrustedCodeError", "HangError", "UsageError", "InputError"]
)
def test_an_error_of_the_child_comes_back_as_its_own_class(name: str) -> None:
    back = rebuild_error(describe_error(load(name)("it failed", hint="do this")))
    assert type(back) is load(name)
    assert str(back) == "it failed\ndo this"


def test_an_error_that_user_code_derived_comes_back_as_the_base() -> None:
    class Own(TierproofError):
        """Made by the target."""

    back = rebuild_error(describe_error(Own("it failed")))
    assert type(back) is TierproofError
    described = describe_error(Own("it failed")) | {"module": "tierproof.errors", "class": "annotations"}
    assert type(rebuild_error(described)) is TierproofError


def test_what_is_no_error_of_ours_comes_back_named() -> None:
    back = rebuild_error(describe_error(KeyError("x")))
    assert isinstance(back, ChildError)
    assert str(back) == "KeyError: 'x'"


def test_each_error_has_a_slug_of_its_own_and_the_guide_an_entry_for_each() -> None:
    slugs = {name: vars(load(name))["slug"] for name in read_defined()}
    assert slugs.pop("TierproofError") == ""
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", slug) for slug in slugs.values())
    anchors = re.findall(r'^<a id="(.+)"></a>$', GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(anchors) == sorted(slugs.values())


def test_each_anchor_stands_at_a_heading_with_a_text() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    anchors = re.findall(r'^<a id="', guide, re.MULTILINE)
    assert len(re.findall(r'^<a id=".+"></a>\n\n##+ .+\n\n\w.{20}', guide, re.MULTILINE)) == len(anchors)


def test_the_last_line_on_the_terminal_leads_to_the_entry(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(UsageError("there is no 'x'", hint="Use y."))
    told = capsys.readouterr().err
    assert told == f"error: there is no 'x'\n  Use y.\n  More: {TROUBLESHOOTING}#usage\n"
    show_error(MissingPackageError("x is needed", package="x", feature="to y", command="pip install x"))
    assert capsys.readouterr().err.endswith(f"\n  More: {TROUBLESHOOTING}#missing-package\n")
    show_error(TierproofError("it failed"))
    assert capsys.readouterr().err == "error: it failed\n"


def test_the_box_of_a_notebook_leads_to_the_entry() -> None:
    def fail(error: Exception) -> None:
        raise error

    box = carry_out("Adding", lambda: fail(UsageError("there is no 'x'", hint="Use y.")), lambda _: None)
    assert box is not None
    assert str(box).endswith(f"\n  More: {TROUBLESHOOTING}#usage")
    assert f'<a href="{TROUBLESHOOTING}#usage"' in box._repr_html_()
    plain = carry_out("Adding", lambda: fail(TierproofError("it failed")), lambda _: None)
    assert "More" not in str(plain)
