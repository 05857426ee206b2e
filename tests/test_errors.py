"""The tree of errors is the one that `tierproof.errors` draws."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from tierproof import errors
from tierproof.cli.terminal.error_message import ChildError, describe_error, rebuild_error
from tierproof.errors import TierproofError

SOURCE = Path(__file__).resolve().parent.parent / "src" / "tierproof"
NODE = re.compile(r"^( {4,})([A-Z]\w+) +([a-z_.]+)$", re.MULTILINE)


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
