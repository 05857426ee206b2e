"""The check after each cell: cheap while nothing changed, and each tear told once."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from guard.fake_site import install
from tierproof.extension.loaded_stamp import LoadedStamp
from tierproof.extension.notice import Notice
from tierproof.extension.tear_check import TearCheck, describe_tears
from tierproof.guard.mend.diagnosis import Diagnosis
from tierproof.guard.mend.torn import Remedy, TearSign, TornPackage

TORN = TornPackage("numb", "1.0", "2.0", (TearSign.VERSION,), Remedy.HEAL, "detail")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A loaded module from a site directory; its file."""
    install(tmp_path, "numb", "1.0", {"numb_of_test.py": "x = 1\n"})
    monkeypatch.syspath_prepend(str(tmp_path))
    loaded = ModuleType("numb_of_test")
    loaded.__file__ = str(tmp_path / "numb_of_test.py")
    monkeypatch.setitem(sys.modules, "numb_of_test", loaded)
    return tmp_path / "numb_of_test.py"


def test_a_replaced_and_a_removed_file_are_seen_once(module: Path) -> None:
    stamp = LoadedStamp()
    assert stamp.find_changed() == ()
    assert stamp.find_changed() == ()
    module.write_text("x = 22\n")
    assert stamp.find_changed() == (str(module),)
    assert stamp.find_changed() == ()
    module.unlink()
    assert stamp.find_changed() == (str(module),)
    assert stamp.find_changed() == ()


def test_files_outside_site_directories_are_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own_of_test.py"
    own.write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    loaded = ModuleType("own_of_test")
    loaded.__file__ = str(own)
    monkeypatch.setitem(sys.modules, "own_of_test", loaded)
    monkeypatch.setitem(sys.modules, "nothing_of_test", None)
    stamp = LoadedStamp()
    stamp.find_changed()
    own.write_text("x = 22\n")
    assert stamp.find_changed() == ()


def test_the_doctor_is_asked_only_after_a_change(module: Path) -> None:
    asked: list[int] = []

    def diagnose() -> Diagnosis:
        asked.append(1)
        return Diagnosis((TORN,), 1, 0.0)

    check = TearCheck(diagnose)
    assert check.look() is None
    assert check.look() is None
    assert asked == []
    module.write_text("x = 22\n")
    notice = check.look()
    assert notice is not None
    assert notice.title == "numb: this kernel runs another version than the one on disk."
    assert check.look(always=True) is None  # told already
    assert len(asked) == 2


def test_what_was_mended_may_be_told_again() -> None:
    answers = [(TORN,), (), (TORN,)]
    check = TearCheck(lambda: Diagnosis(answers.pop(0), 1, 0.0))
    assert check.look(always=True) is not None
    assert check.look(always=True) is None
    assert check.look(always=True) is not None


def test_a_notice_names_versions_and_remedies() -> None:
    gone = TornPackage("pand", "1.0", "", (TearSign.IMPORT_FAILS,), Remedy.REINSTALL, "detail")
    same = TornPackage("imag", "3.0", "3.0", (TearSign.IMPORTED_WHILE_TORN,), Remedy.RESTART, "detail")
    notice = describe_tears([TORN, gone, same])
    text = notice.to_text()
    assert notice.title == "numb, pand, imag: the files on disk are not those that this kernel has loaded."
    assert "numb: 1.0 is loaded, 2.0 is on disk" in text
    assert "pand: 1.0 is loaded, nothing is on disk" in text
    assert "imag 3.0: this kernel mixes two versions" in text
    assert "tp.heal()" in text
    assert "restart the kernel" in text
    assert repr(notice) == text


def test_a_notice_escapes_what_it_shows() -> None:
    page = Notice("<b>", ("<script>",), "info")._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<pre" not in Notice("alone")._repr_html_()
