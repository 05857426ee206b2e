"""Children that misbehave: daemons, floods, deaf ones, and those that want all the memory."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from tierproof.core.end_process import kill_group
from tierproof.guard.system.run_child import run_child, start_child

# A daemon in a session of its own that holds every stream of its parent, and says who it is.
DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    open(sys.argv[1], "w").write(str(os.getpid()))
    time.sleep(600)
    os._exit(0)
os.wait()
while not os.path.exists(sys.argv[1]) or not open(sys.argv[1]).read():
    time.sleep(0.01)
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("watch", [True, False])
def test_a_daemon_that_keeps_the_pipes_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watch: bool
) -> None:
    if not watch:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    file = tmp_path / "pid"
    began = time.process_time()
    ended = run_child([sys.executable, "-c", DAEMON + "\nprint('said')", str(file)], limit_s=60)
    assert (ended.status, ended.output) == (0, "said\n")
    pid = int(file.read_text())
    assert is_alive(pid)  # it left the group, and is nobody's to end
    assert time.process_time() - began < 5
    os.kill(pid, signal.SIGKILL)


def test_what_stays_in_the_group_is_ended_with_its_leader(tmp_path: Path) -> None:
    code = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid)"
    pid = int(run_child([sys.executable, "-c", code], limit_s=60).output)
    for _ in range(200):
        if not is_alive(pid):
            return
        time.sleep(0.02)
    kill_group(pid)
    pytest.fail("it lives on")


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(600)",
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)",
        "while True: print('x' * 1000)",
        "import os\nwhile True: os.write(2, b'x' * 65536)",
    ],
)
def test_the_limit_holds(code: str) -> None:
    assert run_child([sys.executable, "-c", code], limit_s=1).status is None


def test_a_flood_is_cut_off_and_the_end_still_heard() -> None:
    code = "import sys\nfor _ in range(400): sys.stdout.write('x' * 100_000)\nsys.exit(3)"
    ended = run_child([sys.executable, "-c", code], limit_s=60)
    assert ended.status == 3
    assert len(ended.output) == 16 << 20


def test_everything_that_was_said_before_the_end_is_heard() -> None:
    code = "import os\nos.write(1, b'a' * 60_000); os.write(2, b'b' * 60_000); os._exit(7)"
    for _ in range(10):
        ended = run_child([sys.executable, "-c", code], limit_s=60)
        assert (ended.status, len(ended.output), len(ended.words)) == (7, 60_000, 60_000)


@pytest.mark.skipif(sys.platform != "linux", reason="only there can it be limited from outside")
def test_memory_is_limited() -> None:
    ended = run_child(
        [sys.executable, "-c", "import time; time.sleep(0.3); x = bytearray(2 << 30)"],
        limit_s=60,
        most_memory_bytes=1 << 30,
    )
    assert ended.status == 1
    assert "MemoryError" in ended.words


def test_an_interruption_ends_the_child() -> None:
    timer = threading.Timer(
        0.5, lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    )
    timer.start()
    before = {int(name) for name in os.listdir("/proc") if name.isdigit()}
    with pytest.raises(KeyboardInterrupt):
        run_child([sys.executable, "-c", "import time; time.sleep(613)"], limit_s=60)
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in before:
            try:
                assert b"sleep(613)" not in Path(f"/proc/{name}/cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(OSError, match="nowhere"):
        run_child(["/nowhere/program"], limit_s=1)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process")
def test_what_a_child_starts_has_its_limits_and_no_file_grows_beyond_them(tmp_path: Path) -> None:
    """As a build that uv starts has uv's."""
    tell = "import resource as r; print(r.getrlimit(r.RLIMIT_DATA)[0], r.getrlimit(r.RLIMIT_FSIZE)[0], flush=True)"
    write = "open('big', 'wb').write(bytes(2 << 20))"
    code = f"import subprocess, sys; input(); subprocess.run([sys.executable, '-c', {tell + '; ' + write!r}])"
    child = start_child(
        [sys.executable, "-c", code],
        folder=tmp_path,
        most_memory_bytes=1 << 30,
        largest_file_bytes=1 << 20,
        listening=True,
    )
    child.tell("go\n")
    assert child.wait(60).output == f"{1 << 30} {1 << 20}\n"
    assert (tmp_path / "big").stat().st_size <= 1 << 20


def test_a_check_that_raises_ends_the_child() -> None:
    def check() -> None:
        raise ValueError("the disk is full")

    child = start_child([sys.executable, "-c", "import time; time.sleep(600)"])
    with pytest.raises(ValueError, match="full"):
        child.wait(60, check)
    assert child._process.returncode is not None
