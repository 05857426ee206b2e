"""The folder of an environment and the lock of those who change it, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tierproof.core.user_folders import find_user_data_folder
from tierproof.errors import OutputError
from tierproof.guard.system.environment_folder import (
    find_environment_folder,
    name_environment,
)
from tierproof.guard.system.environment_lock import EnvironmentBusyError, lock_environment

SOURCE = Path(__file__).resolve().parents[3] / "src"
HOLD = """
import os, sys, time
from pathlib import Path
from tierproof.guard.system.environment_lock import lock_environment
with lock_environment(Path(sys.argv[1]), limit_s=60):
    {body}
"""


def hold(folder: Path, body: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(body=body), str(folder)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "held"
    return process


def test_the_folder_is_private_named_for_its_environment_and_apart_from_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIERPROOF_DATA", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    first = find_environment_folder(str(tmp_path / "My env"))
    assert first.parent == tmp_path / "tierproof" / "environments"
    assert first.name.startswith("my-env-cp3")
    assert first.stat().st_mode & 0o777 == 0o700
    assert find_environment_folder(str(tmp_path / "other" / "My env")) != first
    (tmp_path / "link").symlink_to(tmp_path / "My env")
    assert find_environment_folder(str(tmp_path / "link")) == first
    assert name_environment("/").startswith("root-cp3")
    monkeypatch.setenv("TIERPROOF_DATA", str(tmp_path / "own"))
    assert find_user_data_folder() == tmp_path / "own"


@pytest.mark.parametrize(
    ("platform", "end"),
    [("darwin", "Library/Application Support/tierproof"), ("linux", ".local/share/tierproof")],
)
def test_the_data_folder_is_the_platforms(monkeypatch: pytest.MonkeyPatch, platform: str, end: str) -> None:
    monkeypatch.delenv("TIERPROOF_DATA", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "not/absolute")
    monkeypatch.setattr(sys, "platform", platform)
    assert find_user_data_folder() == Path.home() / end


def test_on_windows_it_is_the_local_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("TIERPROOF_DATA", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert find_user_data_folder() == tmp_path / "tierproof"


def test_a_folder_that_cannot_be_made_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TIERPROOF_DATA", str(tmp_path / "file" / "below"))
    with pytest.raises(OutputError, match="XDG_DATA_HOME"):
        find_environment_folder()
    monkeypatch.setenv("TIERPROOF_DATA", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="permission denied"):
        find_environment_folder()


def test_a_second_process_is_told_who_holds_it_and_gets_it_afterwards(tmp_path: Path) -> None:
    holder = hold(tmp_path, "print('held', flush=True); input()")
    with (
        pytest.raises(EnvironmentBusyError, match=f"process {holder.pid} is changing"),
        lock_environment(tmp_path, limit_s=0.1),
    ):
        pass
    holder.communicate("\n")
    with lock_environment(tmp_path, limit_s=10):
        pass


def test_a_killed_holder_blocks_nobody_not_even_by_a_forked_child(tmp_path: Path) -> None:
    body = "child = os.fork(); child or time.sleep(30); print('held', flush=True); print(child, flush=True); time.sleep(60)"
    holder = hold(tmp_path, body)
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    holder.kill()
    holder.wait()
    for stream in (holder.stdin, holder.stdout):
        assert stream is not None
        stream.close()
    try:
        with lock_environment(tmp_path, limit_s=10):
            pass
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_forked_child_can_ask_for_it(tmp_path: Path) -> None:
    body = """
    pid = os.fork()
    if pid:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    try:
        with lock_environment(Path(sys.argv[1]), limit_s=0):
            os._exit(1)
    except Exception as error:
        os._exit(0 if type(error).__name__ == "EnvironmentBusyError" else 2)
"""
    run = subprocess.run(
        [sys.executable, "-c", HOLD.format(body=body.strip()), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        timeout=60,
        check=False,
    )
    assert run.returncode == 0


def test_threads_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    inside, most, guard = [0], [0], threading.Lock()

    def work() -> None:
        for _ in range(5):
            with lock_environment(tmp_path, limit_s=60):
                with guard:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                with guard:
                    inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1
    with (
        lock_environment(tmp_path, limit_s=1),
        pytest.raises(EnvironmentBusyError, match="this process"),
        lock_environment(tmp_path, limit_s=0),
    ):
        pass


def test_what_cannot_be_written_or_locked_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError), lock_environment(tmp_path / "absent", limit_s=0):
        pass
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    with pytest.raises(OutputError, match="No locks available"), lock_environment(tmp_path, limit_s=0):
        pass
