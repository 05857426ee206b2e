"""Files over HTTP are bounded before they are written."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from loopback import Site, site  # noqa: F401
from tierproof.model.load import cached_download as module
from tierproof.model.load.cached_download import download
from tierproof.model.load.target import TargetError


@pytest.mark.parametrize("told", [True, False], ids=["length told", "length not told"])
def test_a_body_beyond_the_limit_is_not_kept(
    site: Site,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    told: bool,
) -> None:
    if not told:
        monkeypatch.setattr(module, "_read_length", lambda _: None)
    site.pages["/text"] = b"x" * 100
    assert download(f"{site.url}/text", tmp_path / "text", limit_bytes=100)
    site.pages["/text"] = b"y" * 101
    with pytest.raises(TargetError, match="larger than"):
        download(f"{site.url}/text", tmp_path / "text", limit_bytes=100)
    assert {path.name for path in tmp_path.iterdir()} == {"text", "text.etag"}
    assert (tmp_path / "text").read_bytes() == b"x" * 100


def test_weights_leave_room_on_the_disk(
    site: Site,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=(1 << 30) + 99))
    site.pages["/model.bin"] = b"x" * 100
    with pytest.raises(TargetError, match="disk has room for"):
        download(f"{site.url}/model.bin", tmp_path / "model.bin")
    assert list(tmp_path.iterdir()) == []
