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
    """`pages` maps a path to its bytes, or to a status code; `requests` lists what was asked."""

    url: str
    pages: dict[str, bytes | int] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    stall: threading.Event | None = None


@contextlib.contextmanager
def serve() -> Iterator[Site]:
    site = Site("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.requests.append(self.path)
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
            self.send_header("Content-Length", str(len(page) if site.stall is None else len(page) + 1))
            self.send_header("ETag", tag)
            self.end_headers()
            self.wfile.write(page)
            if site.stall is not None:
                site.stall.wait(60)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        if site.stall is not None:
            site.stall.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as served:
        yield served
