"""uv's own child process."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from guard.wheelhouse import write_wheel
from tierproof.guard.resolve import run_uv
from tierproof.guard.resolve.plan_error import PlanError
from tierproof.guard.system.spared_room import SparedRoom


def test_uv_is_killed_with_its_group_when_the_wait_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "uv"
    script.write_text(f"#!/bin/sh\nsleep 300 &\necho $! > {tmp_path}/pid\nwait\n")
    script.chmod(0o755)
    monkeypatch.setattr(run_uv, "find_uv", lambda: str(script))
    file = tmp_path / "pid"

    def interrupt() -> None:
        while not (file.exists() and file.read_text().strip()):
            time.sleep(0.02)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run_uv.run_uv([], environment=dict(os.environ), folder=tmp_path, limit_s=60)
    thread.join()
    status = Path(f"/proc/{file.read_text().strip()}/stat")
    for _ in range(100):
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    pytest.fail("a child of uv lives on")


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process")
def test_a_wheel_that_unpacks_to_gigabytes_is_ended_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(tmp_path, "bomb", "1", files={"bomb.py": "", "zeros.bin": "\0" * (8 << 20)})
    environment = {**os.environ, "UV_CACHE_DIR": str(tmp_path / "cache")}
    command = ["pip", "install", "--no-index", "--offline", "--no-deps", "--target", "site"]
    command += ["--python", sys.executable, str(next(tmp_path.glob("*.whl")))]

    def fetch(most: int) -> run_uv.UvAnswer:
        return run_uv.run_uv(
            command,
            environment=environment,
            folder=tmp_path,
            limit_s=60,
            doing="fetched",
            largest_file_bytes=most,
        )

    with pytest.raises(PlanError, match="far more than the size of its download promises"):
        fetch(1 << 20)
    assert sum(path.stat().st_size for path in tmp_path.rglob("zeros.bin")) <= 2 << 20
    monkeypatch.setattr(SparedRoom, "find_short", lambda _: tmp_path)
    with pytest.raises(PlanError, match="almost full"):
        fetch(1 << 30)
    monkeypatch.undo()
    assert fetch(1 << 30).status == 0
