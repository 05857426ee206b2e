from __future__ import annotations

import sys

import pytest

from tierproof._optional import is_installed, require
from tierproof.errors import BrokenPackageError, MissingPackageError, TierproofError


def test_a_present_package_is_imported():
    assert require("json", feature="to read").dumps([]) == "[]"
    assert is_installed("json")


def test_an_absent_package_names_feature_and_command():
    with pytest.raises(MissingPackageError) as caught:
        require("surely_absent_package", feature="to test")
    error = caught.value
    assert error.feature == "to test"
    assert "pip install" in error.command
    assert "restart the kernel" in str(error)
    assert not is_installed("surely_absent_package")


@pytest.mark.parametrize("body", ["import surely_absent_package", "raise RuntimeError('torn')"])
def test_a_broken_package_is_told_apart_and_keeps_its_cause(body, tmp_path, monkeypatch):
    (tmp_path / "broken_package.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BrokenPackageError) as caught:
        require("broken_package", feature="to test")
    assert caught.value.__cause__ is not None
    assert "its import fails" in str(caught.value)
    sys.modules.pop("broken_package", None)


def test_every_error_carries_its_hint_in_its_text():
    assert str(TierproofError("a", hint="b")) == "a\nb"
    assert str(TierproofError("a")) == "a"
