"""Whatever stands on sys.path and in sys.modules: a plan, an install, the doctor and the watch go on."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guard.throwaway import COVERAGE_VARIABLES, Throwaway
from tierproof.guard.capture.base import capture_base
from tierproof.guard.capture.installed import capture_installed
from tierproof.guard.capture.loaded import capture_loaded_modules, holds_other_code
from tierproof.guard.capture.loaded_distributions import find_loaded_here
from tierproof.guard.capture.module_namespace import read_namespace
from tierproof.guard.system.search_path import change_search_path, read_search_path

# Run in this process and, by its text, in a fresh one.
HOSTILE = """
import pathlib, sys, types
class Angry:
    def __getattr__(self, name): raise RuntimeError(name)
    def __eq__(self, other): raise RuntimeError("compared")
    def __bool__(self): raise RuntimeError("asked for truth")
    __hash__ = object.__hash__
class AngryModule(types.ModuleType):
    def __getattribute__(self, name): raise RuntimeError(name)
class PropertyModule(types.ModuleType):
    @property
    def __dict__(self): raise RuntimeError("loads everything")
class Slots:
    __slots__ = ("__file__",)
class Meta(type):
    def __getattribute__(cls, name): raise RuntimeError(name)
class Quiet(metaclass=Meta):
    pass
class Text(str):
    def startswith(self, *_): raise RuntimeError("asked")
def list_entries():
    return [pathlib.Path("/somewhere"), None, 7, b"/bytes", Angry(), Text("/text"), "/with\\0null", "", "/nowhere", 1.5]
def list_modules():
    odd = types.ModuleType("odd"); odd.__file__ = 3
    null = types.ModuleType("null"); null.__file__ = "/a\\0b"; null.__version__ = Angry()
    empty = types.ModuleType.__new__(types.ModuleType)
    return {
        "angry": Angry(), "angry_module": AngryModule("angry_module"), "property_module": PropertyModule("p"),
        "slots": Slots(), "quiet": Quiet, "number": 3, "none": None, "odd": odd, "null": null, "empty": empty,
        Text("text"): Angry(), 5: Angry(), None: types.ModuleType("x"),
    }
"""
SPACE: dict[str, Any] = {}
exec(HOSTILE, SPACE)


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    entries = SPACE["list_entries"]()
    plain = list(sys.path)
    path: list[Any] = [*entries[:5], *plain, *entries[5:]]
    monkeypatch.setattr(sys, "path", path)
    modules = SPACE["list_modules"]()
    for name, module in modules.items():
        dict.__setitem__(sys.modules, name, module)
    try:
        yield entries
    finally:
        for name in modules:
            dict.pop(sys.modules, name, None)


def test_the_path_is_read_as_python_reads_it(hostile: list[object]) -> None:
    found = read_search_path()
    assert all(type(entry) is str for entry in found)
    assert "/text" in found
    assert "/nowhere" in found
    assert not any("somewhere" in entry or "bytes" in entry or "\0" in entry for entry in found)
    before = list(map(id, sys.path))
    change_search_path([*found, "/new"])
    assert sys.path[-1] is not None
    strangers = [
        id(entry) for entry in hostile if type(entry) not in (str, SPACE["Text"]) or "\0" in str(entry)
    ]
    assert [each for each in before if each in strangers] == [id(e) for e in sys.path if id(e) in strangers]
    assert "/new" in read_search_path()


def test_captures_pass_over_them(hostile: list[object]) -> None:
    installed = capture_installed()
    assert {"pytest", "packaging"} <= {each.name for each in installed}
    assert {"pytest"} <= find_loaded_here(installed).names
    assert capture_base().paths
    modules = capture_loaded_modules()
    assert "pytest" in {module.name for module in modules}
    for module in modules:
        if module.name in SPACE["list_modules"]():
            holds_other_code(module)


def test_no_code_of_a_module_runs() -> None:
    for module in SPACE["list_modules"]().values():
        assert isinstance(read_namespace(module), dict | types.MappingProxyType)
    lazy = SPACE["PropertyModule"]("p")
    types.ModuleType.__setattr__(lazy, "__file__", "/x.py")
    assert read_namespace(lazy)["__file__"] == "/x.py"


def test_a_whole_life_among_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for (
        name
    ) in COVERAGE_VARIABLES:  # coverage asks the file system for each entry of the path, and dies of None
        monkeypatch.delenv(name, raising=False)
    here = Throwaway(tmp_path)
    for name in ("helper", "tool"):
        here.index.add(name, "1.0")
    said = here.ask(
        HOSTILE
        + """
import json
sys.path[3:3] = [each for each in list_entries() if "null" not in str(each)]  # of which Python's own finder dies
for name, module in list_modules().items():
    dict.__setitem__(sys.modules, name, module)
import tierproof as tp
plan = tp.plan("helper")
first = tp.install("helper")
import helper
second = tp.install("tool")
import tool
assert tp.doctor().healthy
assert tp.heal().ok
tp.rollback()
tp.history(); tp.recover()
print(json.dumps([plan.to_dict()["verdict"], helper.__version__, tool.__version__, len(sys.path)]))
"""
    )
    assert said[:3] == ["additive", "1.0", "1.0"]
