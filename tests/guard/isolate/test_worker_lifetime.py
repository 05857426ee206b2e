"""When a worker starts and ends, and that nothing of it outlives whoever asked."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from guard import calls
from guard.live_processes import is_alive, wait_until
from tierproof.errors import UsageError
from tierproof.guard.isolate.worker import Worker
from tierproof.guard.isolate.worker_error import WorkerError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")

TESTS = Path(__file__).parents[2]
SOURCE = TESTS.parent / "src"


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker([])
    yield worker
    worker.close()


def test_a_closed_worker_ends_and_starts_again(worker: Worker) -> None:
    before = worker.run(os.getpid, (), {})
    worker.close()
    worker.close()
    assert not is_alive(before)
    assert worker.pid == 0
    assert worker.run(os.getpid, (), {}) != before


def test_a_worker_that_was_killed_between_two_calls_is_replaced(worker: Worker) -> None:
    os.kill(worker.run(os.getpid, (), {}), signal.SIGKILL)
    wait_until(lambda: worker.pid == 0)
    assert worker.run(calls.add, (1,), {}) == 1
    os.kill(worker.run(os.getppid, (), {}), signal.SIGKILL)  # its warden
    wait_until(lambda: worker.pid == 0)
    assert worker.run(calls.add, (1,), {}) == 1


def test_an_idle_worker_ends_by_itself() -> None:
    worker = Worker([], idle_s=0.05)
    before = worker.run(os.getpid, (), {})
    wait_until(lambda: worker.pid == 0)
    wait_until(lambda: not is_alive(before))
    assert worker.run(os.getpid, (), {}) != before
    assert worker.last_call is not None
    assert worker.last_call.reused is False
    worker.close()


def test_a_worker_that_leaves_as_it_is_called_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker([], idle_s=0.05)
    before = worker.run(os.getpid, (), {})
    wait_until(lambda: not is_alive(before))
    # Seen alive, and gone when the call arrives.
    monkeypatch.setattr(
        "tierproof.guard.isolate.worker_process.WorkerProcess.is_alive", lambda self: self.pid == before
    )
    assert worker.run(os.getpid, (), {}) != before
    monkeypatch.undo()
    worker.close()


def test_a_worker_that_nobody_holds_any_more_ends() -> None:
    worker = Worker([])
    pid = worker.run(os.getpid, (), {})
    del worker
    gc.collect()
    wait_until(lambda: not is_alive(pid))


def test_two_threads_take_turns(worker: Worker) -> None:
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(worker.run(calls.count, (), {}))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [1, 2, 3, 4]


def test_a_forked_child_leaves_the_worker_alone(worker: Worker) -> None:
    before = worker.run(os.getpid, (), {})
    child = os.fork()
    if not child:
        fine = False
        try:
            fine = worker.pid == 0 and worker.run(os.getpid, (), {}) != before
            worker.close()
        finally:
            os._exit(0 if fine else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert worker.run(os.getpid, (), {}) == before


def test_a_worker_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker([])
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(WorkerError, match="ended before its first call"):
        worker.run(calls.add, (1,), {})
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(WorkerError, match=r"cannot start a worker process with .*: No such file"):
        worker.run(calls.add, (1,), {})
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(UsageError, match="no interpreter"):
        worker.run(calls.add, (1,), {})
    monkeypatch.delattr("socket.send_fds")
    with pytest.raises(UsageError, match="Windows"):
        worker.run(calls.add, (1,), {})


def test_closing_ends_all_that_a_call_has_started(worker: Worker) -> None:
    family = worker.run(calls.start_family, (), {})
    assert all(is_alive(pid) for pid in family)
    worker.close()
    wait_until(lambda: not any(is_alive(pid) for pid in family))


SCRIPT = """
import sys
sys.path[:0] = {paths!r}
from guard import calls
from tierproof.guard.isolate.worker import Worker
worker = Worker([])
family = worker.run(calls.start_family, (), {{}})
{before}
print(*family, flush=True)
{rest}
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc to find orphans")
@pytest.mark.parametrize(
    ("before", "rest", "number"),
    [
        ("", "input()", signal.SIGKILL),
        ("", "input()", signal.SIGTERM),
        ("", "worker.run(calls.sleep_deaf, (600,), {})", signal.SIGKILL),
        # A forked child keeps every descriptor open.
        ("import os, time\nif not os.fork(): time.sleep(600)", "input()", signal.SIGKILL),
        ("", "", 0),
    ],
)
def test_nothing_outlives_the_process_that_asked(before: str, rest: str, number: int) -> None:
    code = SCRIPT.format(paths=[str(SOURCE), str(TESTS)], before=before, rest=rest)
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        family = [int(word) for word in process.stdout.readline().split()]
        assert len(family) == 5
        if number:
            assert all(is_alive(pid) for pid in family)
            process.send_signal(number)
            process.wait(60)
            wait_until(lambda: not any(is_alive(pid) for pid in family))
            if before:
                os.killpg(process.pid, signal.SIGKILL)
        else:
            process.communicate("\n")
            wait_until(lambda: not any(is_alive(pid) for pid in family))


def test_descriptors_beyond_those_of_select(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2000:
        pytest.skip("no so many files allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    worker = Worker([])
    try:
        assert worker.run(calls.add, (1,), {}) == 1
    finally:
        worker.close()
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_end_of_the_process_that_asked_is_silent() -> None:
    code = SCRIPT.format(paths=[str(SOURCE), str(TESTS)], before="", rest="")
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
