"""A web server on the loopback interface that serves what a test puts into a dict."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Site:
    """`pages` maps a path to its bytes, or to a status code; `requests` lists what was asked, and `authorizations` by whom.

    A path in `stall_paths` gets all its bytes but the last, which comes when the server ends; one in `cut_paths`
    gets half of its bytes, and the connection drops.
    """

    url: str
    pages: dict[str, bytes | int] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    stall_paths: set[str] = field(default_factory=set)
    cut_paths: set[str] = field(default_factory=set)
    released: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def serve() -> Iterator[Site]:
    site = Site("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.requests.append(self.path)
            site.authorizations.append(self.headers.get("Authorization", ""))
            page = site.pages.get(self.path, 404)
            if isinstance(page, int):
                self.send_error(page)
                return
            tag = f'"{hash(page)}"'
            if self.headers.get("If-None-Match") == tag:
                self.send_response(304)
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.send_header("ETag", tag)
            if page.startswith(b"<"):
                self.send_header("Content-Type", "text/html")
            self.end_headers()
            if self.path in site.stall_paths:
                self.wfile.write(page[:-1])
                site.released.wait(60)
                page = page[-1:]
            if self.path in site.cut_paths:
                page = page[: len(page) // 2]
            with contextlib.suppress(BrokenPipeError):
                self.wfile.write(page)

        def do_HEAD(self) -> None:
            page = site.pages.get(self.path, 404)
            if isinstance(page, int):
                self.send_error(page)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as served:
        yield served
