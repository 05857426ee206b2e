"""One worker process: calls, prints, failures, limits and surroundings."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guard import calls
from guard.live_processes import is_alive, wait_until
from tierproof.errors import UsageError
from tierproof.guard.isolate.worker import Worker
from tierproof.guard.isolate.worker_error import WorkerDiedError, WorkerError, WorkerTimeoutError
from tierproof.guard.isolate.worker_failure import RemoteTraceback

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker([])
    yield worker
    worker.close()


def test_calls_run_elsewhere_and_the_process_stays(worker: Worker) -> None:
    assert worker.pid == 0
    first = worker.run(os.getpid, (), {})
    assert first not in (os.getpid(), 0)
    assert worker.last_call is not None
    assert worker.last_call.reused is False
    assert worker.run(calls.add, (1, 2), {"more": 3}) == 6
    assert [worker.run(calls.count, (), {}) for _ in range(2)] == [1, 2]
    assert (worker.run(os.getpid, (), {}), worker.pid, worker.calls) == (first, first, 5)
    assert worker.last_call.reused is True
    assert worker.last_call.copies == 0
    assert calls.COUNTER == []


def test_arrays_are_copied_once_on_each_way_and_can_be_written(worker: Worker) -> None:
    np = pytest.importorskip("numpy")
    array = np.ones((1000, 300))
    result = worker.run(calls.double, (array,), {})
    assert worker.last_call is not None
    assert worker.last_call.copies == 1
    assert worker.last_call.sent_bytes > array.nbytes
    assert worker.last_call.received_bytes > array.nbytes
    result += 1
    assert (result.sum(), array.sum()) == (900_000, 300_000)
    worker.run(calls.double, (np.ones((1000, 600))[:, ::2],), {})
    assert worker.last_call.copies == 2
    worker.run(calls.double, (array[:2],), {})
    assert worker.last_call.copies == 0
    assert worker.run(calls.hold_array, (300_000,), {}).shape == (300_000,)
    assert worker.last_call.copies == 1


def test_tensors_are_copied_once(worker: Worker) -> None:
    torch = pytest.importorskip("torch")
    result = worker.run(calls.double, (torch.ones(500, 1000),), {})
    assert worker.last_call is not None
    assert worker.last_call.copies == 1
    result += 1
    assert result.sum() == 1_500_000


def test_results_stay_while_the_worker_goes_on(worker: Worker) -> None:
    np = pytest.importorskip("numpy")
    results = [worker.run(calls.double, (np.full(300_000, number),), {}) for number in range(5)]
    worker.close()
    assert [result[-1] for result in results] == [0, 2, 4, 6, 8]


def test_prints_arrive_on_the_stream_they_were_made_on(
    worker: Worker, capsys: pytest.CaptureFixture[str]
) -> None:
    worker.run(calls.talk, (), {})
    printed = capsys.readouterr()
    assert printed.out.split("\n") == ["from Python", "from a child", "from C", "no end"]
    assert printed.err == "from the other stream\n"


def test_prints_arrive_while_the_call_runs(
    worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "seen"

    class Screen:
        def write(self, text: str) -> None:
            if "before the wait" in text:
                marker.touch()

        def flush(self) -> None:
            pass

    monkeypatch.setattr(sys, "stdout", Screen())
    worker.run(calls.announce_and_wait, (str(marker),), {})


def test_more_prints_than_a_pipe_holds(worker: Worker, capsys: pytest.CaptureFixture[str]) -> None:
    assert worker.run(calls.talk_much, (5000,), {}) == 5000
    assert len(capsys.readouterr().out.splitlines()) == 5000


def test_an_exception_comes_back_as_itself_with_the_remote_traceback(worker: Worker) -> None:
    with pytest.raises(ValueError, match="these words") as caught:
        worker.run(calls.fail, ("these words",), {})
    cause = caught.value.__cause__
    assert isinstance(cause, RemoteTraceback)
    assert "in fail" in str(cause)
    assert "serve_calls.py" not in str(cause)
    assert worker.pid


@pytest.mark.parametrize(
    ("function", "name", "words"),
    [
        (calls.fail_oddly, "guard.calls.Odd", "odd 1 2"),
        (calls.fail_unpicklable, "RuntimeError", "holds a lock"),
        (calls.fail_unreadable, "guard.calls.Unreadable", "its message cannot be read"),
    ],
)
def test_an_exception_that_cannot_be_rebuilt_is_told_in_words(
    worker: Worker, function: Callable[[], None], name: str, words: str
) -> None:
    with pytest.raises(WorkerError, match=words) as caught:
        worker.run(function, (), {})
    assert caught.value.remote_type == name
    assert f"in {function.__name__}" in caught.value.remote_traceback
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    assert worker.run(calls.add, (1,), {}) == 1


def test_exits_and_interrupts_of_the_function_itself_come_back(worker: Worker) -> None:
    with pytest.raises(SystemExit) as caught:
        worker.run(calls.raise_exit, (3,), {})
    assert caught.value.code == 3
    with pytest.raises(KeyboardInterrupt):
        worker.run(signal.raise_signal, (signal.SIGINT,), {})
    assert worker.pid


def test_a_result_that_cannot_be_sent_or_rebuilt_is_said(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="cannot be sent between processes"):
        worker.run(threading.Lock, (), {})
    result = worker.run(calls.OnlyHere, (), {})
    assert type(result) is calls.OnlyHere
    monkeypatch.setenv("NOT_HERE", "1")
    with pytest.raises(
        WorkerError, match="result cannot be rebuilt in this process: ImportError: no such package"
    ):
        worker.run(calls.OnlyHere, (), {})
    assert worker.pid


def test_a_crash_is_told_with_its_signal_and_last_words(worker: Worker) -> None:
    with pytest.raises(WorkerDiedError, match="killed by SIGSEGV while running crash") as caught:
        worker.run(calls.crash, (), {})
    assert caught.value.signal_number == signal.SIGSEGV
    assert "these are the last words" in caught.value.last_words
    assert "in crash" in str(caught.value)
    assert worker.pid == 0
    assert worker.run(calls.add, (1,), {}) == 1


def test_an_exit_and_a_kill_are_told(worker: Worker) -> None:
    with pytest.raises(WorkerDiedError, match="ended with exit status 7") as caught:
        worker.run(calls.exit_by, (7,), {})
    assert (caught.value.exit_status, caught.value.signal_number) == (7, None)
    with pytest.raises(WorkerDiedError, match=r"SIGKILL.*\n.*ran out of memory"):
        worker.run(calls.kill_itself, (signal.SIGKILL,), {})
    with pytest.raises(WorkerDiedError, match=f"signal {signal.SIGRTMIN + 1}"):
        worker.run(calls.kill_itself, (signal.SIGRTMIN + 1,), {})


def test_a_call_that_takes_too_long_is_interrupted_and_the_worker_stays(worker: Worker) -> None:
    before = worker.run(os.getpid, (), {})
    with pytest.raises(
        WorkerTimeoutError, match=r"sleep took longer than limit_s=0\.2 seconds: it was interrupted"
    ):
        worker.run(time.sleep, (600,), {}, limit_s=0.2)
    assert worker.run(os.getpid, (), {}, limit_s=600) == before
    assert issubclass(WorkerTimeoutError, TimeoutError)


def test_a_call_that_takes_too_long_and_is_deaf_is_ended(worker: Worker) -> None:
    before = worker.run(os.getpid, (), {})
    with pytest.raises(WorkerTimeoutError, match="its worker was ended"):
        worker.run(calls.sleep_deaf, (600,), {}, limit_s=0.2)
    assert not is_alive(before)
    assert worker.run(calls.add, (1,), {}) == 1


def interrupt_soon(after: Callable[[], bool]) -> threading.Thread:
    def interrupt() -> None:
        wait_until(after)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    return thread


def test_ctrl_c_interrupts_the_call_and_keeps_the_worker(worker: Worker) -> None:
    before = worker.run(os.getpid, (), {})
    thread = interrupt_soon(lambda: True)
    with pytest.raises(KeyboardInterrupt) as caught:
        worker.run(time.sleep, (600,), {})
    thread.join()
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    assert worker.run(os.getpid, (), {}) == before


def test_ctrl_c_ends_a_worker_that_is_deaf(worker: Worker) -> None:
    before = worker.run(os.getpid, (), {})
    thread = interrupt_soon(lambda: True)
    with pytest.raises(KeyboardInterrupt):
        worker.run(calls.sleep_deaf, (600,), {})
    thread.join()
    assert not is_alive(before)


def test_an_error_while_listening_ends_the_worker(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    before = worker.run(os.getpid, (), {})

    class Broken:
        def write(self, text: str) -> None:
            raise OSError("the screen is gone")

    monkeypatch.setattr(sys, "stdout", Broken())
    with pytest.raises(OSError, match="screen is gone"):
        worker.run(calls.talk, (), {})
    assert not is_alive(before)


def test_the_surroundings_follow_those_of_the_caller(
    worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYTHONHOME", "PYTHONSTARTUP", "UV_TARGET", "PIP_TARGET"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://index")
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    monkeypatch.setenv("GOES", "1")
    found = worker.run(calls.describe_surroundings, (), {})
    environment = found["environment"]
    assert not {"PYTHONHOME", "PYTHONSTARTUP", "UV_TARGET", "PIP_TARGET"} & set(environment)
    assert (environment["UV_DEFAULT_INDEX"], environment["MPLBACKEND"]) == ("https://index", "agg")
    assert environment["PYTHONHASHSEED"] == "0"
    assert (found["path"], found["arguments"], found["folder"]) == (sys.path, [""], str(Path.cwd()))
    assert all(name.startswith("__") for name in found["main"])
    assert found["group"] == worker.pid
    assert found["session"] not in (os.getsid(0), worker.pid)
    worker.run(calls.set_variable, ("OWN", "kept"), {})
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GOES")
    monkeypatch.setenv("COMES", "2")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "made_later.py").write_text("__version__ = '1'")
    found = worker.run(calls.describe_surroundings, (), {})
    assert found["folder"] == str(tmp_path)
    assert "GOES" not in found["environment"]
    assert (found["environment"]["COMES"], found["environment"]["OWN"]) == ("2", "kept")
    assert worker.run(calls.version_of, ("made_later",), {})[0] == "1"


def test_a_folder_that_is_gone_is_no_reason_to_fail(
    worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert worker.run(calls.add, (1,), {}) == 1


def test_the_layer_stands_in_front_also_for_interpreters_that_a_call_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, version in (("layer", "2"), ("base", "1")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "both_have_it.py").write_text(f"__version__ = {version!r}")
    monkeypatch.syspath_prepend(str(tmp_path / "base"))
    worker = Worker([str(tmp_path / "layer")])
    assert worker.run(calls.version_of, ("both_have_it",), {})[0] == "2"
    command = [sys.executable, "-c", "import both_have_it; print(both_have_it.__version__)"]
    assert worker.run(subprocess.check_output, (command,), {"text": True}) == "2\n"
    worker.close()


def test_namespaces_are_joined_with_the_layer_in_front(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, base = tmp_path / "layer", tmp_path / "base"
    for folder, version in ((layer, "2"), (base, "1")):
        (folder / "shared_space" / "deep").mkdir(parents=True)
        (folder / "shared_space" / "deep" / "part.py").write_text(f"__version__ = {version!r}")
        (folder / "plain_space").mkdir()
        (folder / "plain_space" / f"of_{folder.name}.py").write_text(f"__version__ = {version!r}")
        (folder / "plain_space" / "part.py").write_text(f"__version__ = {version!r}")
    (base / "shared_space" / "__init__.py").touch()
    (base / "shared_space" / "deep" / "__init__.py").touch()
    (base / "shared_space" / "old.py").write_text("__version__ = '1'")
    (base / "shared_space" / "deep" / "old.py").write_text("__version__ = '1'")
    monkeypatch.syspath_prepend(str(base))
    worker = Worker([str(layer)])

    def version(name: str) -> str:
        return str(worker.run(calls.version_of, (name,), {})[0])

    assert version("shared_space.deep.part") == "2"
    assert [version(f"shared_space.{name}") for name in ("old", "deep.old")] == ["1", "1"]
    assert version("plain_space.part") == "2"
    assert [version(f"plain_space.of_{name}") for name in ("layer", "base")] == ["2", "1"]
    worker.close()


def test_a_class_that_nobody_here_has_imported_is_told_in_words(
    worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "not_imported_here.py").write_text(
        "class Refused(Exception): pass\ndef fail(): raise Refused('no')"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(WorkerError, match=r"not_imported_here\.Refused: no"):
        worker.run(calls.call_by_name, ("not_imported_here", "fail"), {})
    assert "not_imported_here" not in sys.modules
