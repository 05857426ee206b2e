"""`tp.isolated` in a real kernel: numpy 2.0.2 loaded, 2.3.4 asked for, functions defined in cells."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guard.live_processes import is_alive, wait_until
from guard.notebook_kernel import Kernel, make_environment, start_kernel

pytest.importorskip("ipykernel", reason="comes with the test group")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")]

CELL = """
import os, sys, time, numpy as np, tierproof as tp
FACTOR = 3
class Answer:
    def __init__(self, version, values):
        self.version, self.values = version, values
def scale(values):
    import numpy
    values += 1
    print("in the worker")
    return Answer(numpy.__version__, values * FACTOR)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_environment(
        tmp_path_factory.mktemp("isolated") / "env",
        *("numpy==2.0.2", "ipykernel", "packaging", "click", "rich", "uv", "cloudpickle"),
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def kernel(python: Path, data: Path) -> Iterator[Kernel]:
    with start_kernel(python, data) as kernel:
        assert kernel.run(CELL)[1] == ""
        yield kernel


def list_files(site: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in site.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def test_two_hundred_megabytes_there_and_back_between_two_numpys(kernel: Kernel, python: Path) -> None:
    site = next((python.parents[1] / "lib").glob("python3*")) / "site-packages"
    before = list_files(site)
    printed, error = kernel.run(
        'big = np.zeros(25_000_000); answer = tp.isolated(["numpy==2.3.4"], scale, big); answer.values += 1'
    )
    assert error == ""
    assert "in the worker" in printed
    # The class is the notebook's own, the array can be written, and ours was not.
    assert kernel.ask("[answer.version, np.__version__, type(answer) is Answer]") == ["2.3.4", "2.0.2", True]
    assert kernel.ask("[answer.values.sum(), big.sum()]") == [100_000_000, 0]
    call = kernel.ask("tp.isolated_workers()[0].to_dict()['last_call']")
    assert call["copies"] == 1
    assert call["sent_bytes"] > 200_000_000
    assert call["received_bytes"] > 200_000_000
    assert list_files(site) == before
    assert kernel.ask("tp.doctor().healthy")
    assert kernel.run("import numpy.strings, numpy.ma")[1] == ""


def test_a_remote_traceback_shows_the_line_of_the_cell(kernel: Kernel) -> None:
    kernel.run("def fails():\n    return {}['absent']  # the line to see")
    assert kernel.run('tp.isolated(["numpy==2.3.4"], fails)')[1] == "KeyError: 'absent'"
    printed, _ = kernel.run(
        'try: tp.isolated(["numpy==2.3.4"], fails)\nexcept KeyError as error: print(error.__cause__)'
    )
    assert "the line to see" in printed


def test_the_process_stays_warm_and_prints_come_while_it_works(kernel: Kernel) -> None:
    kernel.run(
        "def count():\n    import builtins\n    builtins.n = getattr(builtins, 'n', 0) + 1\n    return builtins.n"
    )
    counts = kernel.ask('[tp.isolated(["numpy==2.3.4"], count) for _ in range(3)]')
    assert counts == [1, 2, 3]
    kernel.run("def wait(seconds):\n    print('begun')\n    time.sleep(seconds)")
    seen: queue.Queue[str] = queue.Queue()

    def collect(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            seen.put(message["content"]["text"])

    cell = threading.Thread(
        target=kernel.client.execute_interactive,
        args=('tp.isolated(["numpy==2.3.4"], wait, 600)',),
        kwargs={"output_hook": collect, "timeout": 120},
    )
    cell.start()
    assert "begun" in seen.get(timeout=60)
    assert cell.is_alive()
    kernel.manager.interrupt_kernel()
    cell.join(60)
    assert not cell.is_alive()
    # Ctrl-C has ended the cell and not the worker.
    assert kernel.ask('tp.isolated(["numpy==2.3.4"], count)') == 4


def test_a_crash_leaves_the_kernel_as_it_was(kernel: Kernel) -> None:
    kernel.run("def crash():\n    import ctypes\n    ctypes.string_at(0)")
    error = kernel.run('tp.isolated(["numpy==2.3.4"], crash)')[1]
    assert "WorkerDiedError: the worker was killed by SIGSEGV while running crash" in error
    assert kernel.ask('tp.isolated(["numpy==2.3.4"], os.getpid) != os.getpid()')


def test_without_cloudpickle_a_cell_says_what_to_do(kernel: Kernel) -> None:
    error = kernel.run(
        'sys.modules["cloudpickle"] = None\ntry: tp.isolated(["numpy==2.3.4"], scale, np.ones(3))\n'
        'finally: del sys.modules["cloudpickle"]'
    )[1]
    assert error.startswith("MissingPackageError: cloudpickle is needed")
    assert 'tp.install("cloudpickle")' in error


def test_a_second_kernel_uses_the_layer_that_is_there(kernel: Kernel, python: Path, data: Path) -> None:
    assert kernel.run('tp.isolated(["numpy==2.3.4"], os.getpid)')[1] == ""
    with start_kernel(python, data) as other:
        assert other.run(CELL)[1] == ""
        other.run('answer = tp.isolated(["numpy==2.3.4"], scale, np.ones(3))')
        assert other.ask("answer.version") == "2.3.4"
        states = [each.ask("tp.isolated_workers()[0].to_dict()") for each in (kernel, other)]
    assert states[0]["layer"] == states[1]["layer"]
    assert states[1]["layer_made"] is False


def test_a_killed_kernel_leaves_no_process(python: Path, data: Path) -> None:
    with start_kernel(python, data) as kernel:
        assert kernel.run(CELL)[1] == ""
        kernel.run(
            "def family():\n"
            "    import subprocess\n"
            "    child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
            "    return [os.getpid(), os.getppid(), child.pid]"
        )
        family = kernel.ask('tp.isolated(["numpy==2.3.4"], family)')
        assert all(is_alive(pid) for pid in family)
        os.kill(kernel.pid, 9)
        wait_until(lambda: not any(is_alive(pid) for pid in family))
