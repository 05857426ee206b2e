"""Where caches and records go."""

from __future__ import annotations

import sys
from pathlib import Path

from tierproof.model.load.user_folders import cache_folder, data_folder


def test_defaults_and_overrides(monkeypatch):
    for name in ("TIERPROOF_CACHE", "TIERPROOF_DATA", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_folder() == Path("/home/someone/.cache/tierproof")
    assert data_folder() == Path("/home/someone/.local/share/tierproof")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == Path("/home/someone/Library/Caches/tierproof")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == Path("/home/someone/Library/Caches/tierproof")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/tierproof")
    monkeypatch.setenv("TIERPROOF_CACHE", "/own")
    monkeypatch.setenv("TIERPROOF_DATA", "/records")
    assert (cache_folder(), data_folder()) == (Path("/own"), Path("/records"))
