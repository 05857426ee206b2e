"""What uv's lock names."""

from __future__ import annotations

import pytest

from tierproof.guard.resolve.lock import read_lock


def test_a_lock_names_wheels_sources_and_folders() -> None:
    lock = read_lock(
        'lock-version = "1.0"\n'
        '[[packages]]\nname = "a"\nversion = "1"\nwheels = [{url = "https://h/a-1-cp27-none-any.whl"}, {url = "https://h/a-1-py3-none-any.whl", size = 7}]\n'
        '[[packages]]\nname = "b"\nversion = "2"\nsdist = {url = "https://h/b-2.tar.gz"}\n'
        '[[packages]]\nname = "c"\ndirectory = {path = "/c"}\n'
        '[[packages]]\nname = "d"\narchive = {url = "https://h/d-4-py3-none-any.whl"}\n'
    )
    a, b, c, d = lock.packages
    assert (a.bytes, a.built, b.built, c.version, c.direct, d.version, d.direct) == (
        7,
        False,
        True,
        "",
        True,
        "4",
        True,
    )
    with pytest.raises(ValueError, match="lock-version"):
        read_lock("")
