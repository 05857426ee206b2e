"""What a locked wheel declares is read once, and kept by its hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from guard.wheelhouse import write_wheel
from loopback import serve
from tierproof.guard.resolve.lock import LockedPackage
from tierproof.guard.resolve.locked_requires import read_locked_requires


def test_a_wheel_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERPROOF_CACHE", str(tmp_path / "cache"))
    path = write_wheel(tmp_path, "capt", "1.0", ["numb>=2 ; python_version > '3'"])
    content = path.read_bytes()
    with serve() as site:
        site.pages[f"/{path.name}"] = content
        url, digest = f"{site.url}/{path.name}", hashlib.sha256(content).hexdigest()
        item = LockedPackage("capt", "1.0", url, len(content), digest=digest)
        first = read_locked_requires(item, {})
        assert [str(each) for each in first or ()] == ['numb>=2; python_version > "3"']
        site.requests.clear()
        assert read_locked_requires(item, {}) == first
        assert site.requests == []
        (kept,) = (tmp_path / "cache").rglob("*.json")
        for damage in ("", "[1]", '["not a requirement !"]', "{"):
            kept.write_text(damage)
            assert read_locked_requires(item, {}) == first
        assert site.requests
        # Without a hash nobody knows whether it is the same wheel.
        site.requests.clear()
        bare = LockedPackage("capt", "1.0", url, len(content))
        assert read_locked_requires(bare, {}) == first == read_locked_requires(bare, {})
        assert len(site.requests) > 1
        assert read_locked_requires(LockedPackage("capt", "1.0", built=True), {}) is None
