"""Where caches and records go."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tierproof.core.user_folders import find_user_cache_folder, find_user_data_folder
from tierproof.errors import UsageError


@pytest.fixture(autouse=True)
def _someone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TIERPROOF_CACHE", "TIERPROOF_DATA", "XDG_CACHE_HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/someone")


def test_defaults_and_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert find_user_cache_folder() == Path("/home/someone/.cache/tierproof")
    assert find_user_data_folder() == Path("/home/someone/.local/share/tierproof")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert find_user_cache_folder() == Path("/home/someone/Library/Caches/tierproof")
    assert find_user_data_folder() == Path("/home/someone/Library/Application Support/tierproof")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert find_user_cache_folder() == Path("/home/someone/Library/Caches/tierproof")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setenv("XDG_DATA_HOME", "/xdg-data")
    assert find_user_cache_folder() == Path("/xdg/tierproof")
    assert find_user_data_folder() == Path("/xdg-data/tierproof")
    monkeypatch.setenv("TIERPROOF_CACHE", "/own")
    monkeypatch.setenv("TIERPROOF_DATA", "/records")
    assert (find_user_cache_folder(), find_user_data_folder()) == (Path("/own"), Path("/records"))


def test_on_windows_both_are_below_the_local_application_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    below_home = Path("/home/someone/AppData/Local/tierproof")
    assert (find_user_data_folder(), find_user_cache_folder()) == (below_home, below_home / "cache")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert find_user_data_folder() == Path("/local/tierproof")
    assert find_user_cache_folder() == Path("/local/tierproof/cache")


def test_a_relative_data_folder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERPROOF_DATA", "data")
    with pytest.raises(UsageError, match="is a relative path"):
        find_user_data_folder()
    monkeypatch.setenv("TIERPROOF_CACHE", "cache")  # which can be made again anywhere
    assert find_user_cache_folder() == Path("cache")
