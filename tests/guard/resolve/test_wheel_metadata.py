"""A wheel's needs are read by pieces, whole, or beside it, from a loopback server."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from guard.wheelhouse import write_wheel
from loopback import serve
from tierproof.guard.resolve.index_settings import IndexSettings
from tierproof.guard.resolve.known_packages import is_unknown
from tierproof.guard.resolve.ranged_file import RangedFile
from tierproof.guard.resolve.wheel_metadata import read_requires


def test_read_whole_beside_it_or_not_at_all(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, "mine", "1.0", ["numb>=2", "not a requirement"]).read_bytes()
    with serve() as site:
        url = f"{site.url}/mine-1.0-py3-none-any.whl"
        site.pages["/mine-1.0-py3-none-any.whl"] = wheel
        assert [str(item) for item in read_requires(url, len(wheel), {}) or ()] == ["numb>=2"]
        assert read_requires(url, 50_000_000, {}) is None
        site.pages["/mine-1.0-py3-none-any.whl.metadata"] = b"Requires-Dist: other\n\n"
        assert [str(item) for item in read_requires(url, 50_000_000, {}) or ()] == ["other"]
        assert read_requires(f"{site.url}/absent.whl", 10, {}) is None


def test_pieces_of_a_large_archive_are_enough() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("big", os.urandom(1_000_000))
        archive.writestr("a.dist-info/METADATA", "Name: a\n")
    content = buffer.getvalue()
    fetched = []

    def fetch_range(begin: int, end: int) -> bytes:
        fetched.append(end - begin)
        return content[begin:end]

    with zipfile.ZipFile(RangedFile(fetch_range, len(content))) as archive:  # type: ignore[arg-type]
        assert archive.read("a.dist-info/METADATA") == b"Name: a\n"
    assert sum(fetched) < 200_000


@pytest.mark.parametrize(("status", "unknown"), [(404, True), (500, False), (403, False), (b"page", False)])
def test_only_an_index_that_says_so_lacks_a_package(status: int | bytes, unknown: bool) -> None:
    with serve() as site:
        site.pages["/simple/mine/"] = status
        assert is_unknown("mine", IndexSettings((f"{site.url}/simple",), (), (), {})) is unknown


def test_a_page_of_links_knows_what_it_names() -> None:
    with serve() as site:
        site.pages["/links"] = b'<a href="my_pkg-1.0-py3-none-any.whl">'
        settings = IndexSettings((), (f"{site.url}/links",), (), {})
        assert not is_unknown("my-pkg", settings)
        assert is_unknown("other", settings)


def test_where_nothing_can_be_asked_nobody_knows() -> None:
    assert not is_unknown("mine", IndexSettings((), (), (), {}))
