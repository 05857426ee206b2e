"""uv's own child process."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tierproof.guard.resolve import run_uv


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
