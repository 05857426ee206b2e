"""Packages and indexes that keep their reader: a daemon at import, a page without end, a page that unpacks to one."""

from __future__ import annotations

import contextlib
import gzip
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from guard.throwaway import Throwaway
from tierproof.guard.resolve import run_uv
from tierproof.guard.resolve.plan_error import PlanError

# A daemon as daemons are: twice forked, in a session of its own, with every stream of its parent kept open.
DAEMON = """
__version__ = "1.0"
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    with open(os.environ["DAEMON_PID"], "a") as stream:
        stream.write(f"{os.getpid()}\\n")
    time.sleep(600)
    os._exit(0)
os.wait()
"""
# One that stays in the group, deaf to being asked to end.
FAMILY = """
__version__ = "1.0"
import os, signal, time
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with open(os.environ["DAEMON_PID"], "a") as stream:
        stream.write(f"{os.getpid()}\\n")
    time.sleep(600)
    os._exit(0)
while not os.path.exists(os.environ["DAEMON_PID"]):
    time.sleep(0.01)
"""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Throwaway]:
    throwaway = Throwaway(tmp_path)
    throwaway.index.add("plain", "1.0")
    yield throwaway
    with contextlib.suppress(FileNotFoundError):
        for pid in (tmp_path / "daemon").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("source", [DAEMON, FAMILY])
def test_a_package_that_starts_a_daemon_at_import_holds_nothing_up(here: Throwaway, source: str) -> None:
    here.index.add("keeper", "1.0", files={"keeper.py": source})
    environment = {**here.environment, "DAEMON_PID": str(here.folder / "daemon")}
    done = here.run("-m", "tierproof", "install", "keeper", env=environment, cwd=here.folder, timeout=120)
    assert done.returncode == 0, done.stderr
    if source == FAMILY:
        (pid,) = (here.folder / "daemon").read_text().split()
        assert not is_alive(int(pid))
    here.install("plain")  # the lock is free
    assert here.find_version("plain") == "1.0"


def test_after_sigterm_nothing_of_the_trial_is_left_and_the_lock_is_free(here: Throwaway) -> None:
    here.index.add("keeper", "1.0", files={"keeper.py": FAMILY + "\ntime.sleep(600)\n"})
    environment = {**here.environment, "DAEMON_PID": str(here.folder / "daemon")}
    command = [str(here.python), "-m", "tierproof", "install", "keeper"]
    process = subprocess.Popen(command, env=environment, cwd=here.folder, stderr=subprocess.DEVNULL)
    try:
        for _ in range(2400):
            if (here.folder / "daemon").exists() and (here.folder / "daemon").read_text().strip():
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 2
    finally:
        process.kill()
    (pid,) = (here.folder / "daemon").read_text().split()
    for _ in range(100):
        if not is_alive(int(pid)):
            break
        time.sleep(0.05)
    assert not is_alive(int(pid))
    here.install("plain")


@contextlib.contextmanager
def serve(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with contextlib.suppress(OSError):
                answer(self)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()
        server.server_close()


def answer_without_end(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.end_headers()
    handler.wfile.write(b"<!DOCTYPE html><html><body>")
    block = b'<a href="x-1.0-py3-none-any.whl">x-1.0-py3-none-any.whl</a>\n' * 20_000
    for _ in range(4000):
        handler.wfile.write(block)


def answer_with_a_bomb(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.send_header("Content-Encoding", "gzip")
    handler.end_headers()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(b" " * (16 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)  # stands on its own
    handler.wfile.write(gzip.compress(b"")[:10] + block * 1000)


@pytest.mark.skipif(sys.platform != "linux", reason="only there can a child's memory be limited from outside")
@pytest.mark.parametrize("answer", [answer_without_end, answer_with_a_bomb])
def test_an_index_without_end_takes_no_more_memory_than_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    monkeypatch.setattr(run_uv, "choose_memory_limit", lambda: 700 << 20)
    (tmp_path / "in").write_text("x\n")
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "UV_CACHE_DIR": str(tmp_path / "cache"), "TMPDIR": str(tmp_path),
    }  # fmt: skip
    with serve(answer) as url, pytest.raises(PlanError) as caught:
        run_uv.run_uv(
            ["pip", "compile", "in", "--no-config", "--default-index", url, "--python", sys.executable],
            environment=environment,
            folder=tmp_path,
            limit_s=120,
        )
    assert "of memory" in str(caught.value)
    assert "endless" in caught.value.hint


def test_the_limit_leaves_room_for_an_ordinary_resolution(
    here: Throwaway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_uv, "choose_memory_limit", lambda: 700 << 20)
    (here.folder / "in").write_text("plain\n")
    answered = run_uv.run_uv(
        ["pip", "compile", "in", "--no-config", "--python", str(here.python)],
        environment=here.index.environment,
        folder=here.folder,
        limit_s=60,
    )
    assert answered.status == 0, answered.words
