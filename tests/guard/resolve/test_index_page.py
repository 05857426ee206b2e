"""Pages of the simple API, as JSON and as HTML, and folders of files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.version import Version

from loopback import serve
from tierproof.guard.resolve.index_page import list_excluding, read_index_pages
from tierproof.guard.resolve.index_settings import read_index_settings

HTML = (
    '<html><body><a href="../x/demo-1.0.tar.gz#sha256=1" data-requires-python="&gt;=3.9,&lt;3.12">d</a>\n'
    "<a href='demo-2.0-py3-none-any.whl' data-requires-python='>=3.13'>d</a>"
    '<a href="demo-3.0-py3-none-any.whl" data-yanked="bad">d</a><a href="readme.html">r</a></body></html>'
)
JSON = json.dumps(
    {
        "files": [
            {"filename": "demo-1.0.tar.gz", "requires-python": ">=3.9,<3.12"},
            {"filename": "demo-2.0-py3-none-any.whl", "requires-python": ">=3.13"},
            {"filename": "demo-3.0-py3-none-any.whl", "yanked": True},
            {"filename": "demo.exe"},
        ]
    }
)


@pytest.mark.parametrize("page", [HTML, JSON])
def test_a_page_in_either_form(page: str) -> None:
    with serve() as site:
        site.pages["/simple/demo/"] = page.encode()
        settings = replace(read_index_settings({}), index_urls=(f"{site.url}/simple",), find_links=())
        files = read_index_pages("demo", settings)
        assert [(str(file.version), file.is_wheel) for file in files] == [("1.0", False), ("2.0", True)]
        assert list_excluding(files, "3.12.1") == {Version("1.0"): ">=3.9,<3.12", Version("2.0"): ">=3.13"}
        assert list_excluding(files, "3.11.4") == {Version("2.0"): ">=3.13"}
        assert read_index_pages("absent", settings) == ()


def test_a_folder_of_files(tmp_path: Path) -> None:
    for name in ("demo-1.0.tar.gz", "demo_more-2.0-py3-none-any.whl", "other-1.0.zip", "notes.txt"):
        (tmp_path / name).write_text("")
    settings = replace(read_index_settings({}), index_urls=(), find_links=(str(tmp_path),))
    assert [file.name for file in read_index_pages("demo", settings)] == ["demo-1.0.tar.gz"]
    assert [file.name for file in read_index_pages("demo-more", settings)] == [
        "demo_more-2.0-py3-none-any.whl"
    ]


@pytest.mark.parametrize(
    "page", ['{"files": ' + "[" * 100_000, '{"files": 7}', '{"files": ["demo-1.0.tar.gz", null]}', "{]"]
)
def test_a_page_that_cannot_be_read_gives_no_files(page: str) -> None:
    with serve() as site:
        site.pages["/simple/demo/"] = page.encode()
        settings = replace(read_index_settings({}), index_urls=(f"{site.url}/simple",), find_links=())
        assert read_index_pages("demo", settings) == ()
