"""Functions that a worker can import, for the tests of calls."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

COUNTER: list[int] = []


class Odd(Exception):
    """Pickles, and cannot be rebuilt from its pickle."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"odd {first} {second}")


class Unreadable(Exception):
    def __str__(self) -> str:
        raise TypeError("no words")


class OnlyHere:
    """Cannot be rebuilt where the environment says so."""

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild_only_here, ()


def rebuild_only_here() -> OnlyHere:
    if os.environ.get("NOT_HERE"):
        raise ImportError("no such package here")
    return OnlyHere()


def add(*values: int, more: int = 0) -> int:
    return sum(values) + more


def count() -> int:
    COUNTER.append(1)
    return len(COUNTER)


def double(values: Any) -> Any:
    values += 0  # fails where it may not be written
    return values * 2


def give_back(value: Any) -> Any:
    return value


def hold_array(count: int) -> Any:
    import numpy as np

    return np.zeros(count)


def talk() -> None:
    print("from Python")
    os.system("echo from a child")
    ctypes.CDLL(None).printf(b"from C\n")
    print("from the other stream", file=sys.stderr)
    print("no end", end="")


def talk_much(lines: int) -> int:
    for number in range(lines):
        print(number, "x" * 200)
    return lines


def announce_and_wait(marker: str) -> None:
    print("before the wait", end="")
    while not Path(marker).exists():
        time.sleep(0.01)


def fail(words: str) -> None:
    raise ValueError(words)


def fail_oddly() -> None:
    raise Odd(1, 2)


def fail_unpicklable() -> None:
    error = RuntimeError("holds a lock")
    error.held = __import__("threading").Lock()  # type: ignore[attr-defined]
    raise error


def fail_unreadable() -> None:
    raise Unreadable(__import__("threading").Lock())


def exit_by(status: int) -> None:
    os._exit(status)


def raise_exit(status: int) -> None:
    sys.exit(status)


def crash() -> None:
    print("these are the last words", flush=True)
    ctypes.string_at(0)


def kill_itself(number: int) -> None:
    os.kill(os.getpid(), number)


def sleep_deaf(seconds: float) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    time.sleep(seconds)


def describe_surroundings() -> dict[str, Any]:
    return {
        "folder": str(Path.cwd()),
        "path": sys.path,
        "environment": dict(os.environ),
        "arguments": sys.argv,
        "main": sorted(vars(sys.modules["__main__"])),
        "group": os.getpgid(0),
        "session": os.getsid(0),
    }


def set_variable(name: str, value: str) -> None:
    os.environ[name] = value


def version_of(module: str) -> tuple[str, str]:
    found = __import__("importlib").import_module(module)
    return found.__version__, str(found.__file__)


def start_family() -> list[int]:
    """Start a child, one in a session of its own, and one whose parent has ended; give the numbers of all."""
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    plain = subprocess.Popen(sleep)
    apart = subprocess.Popen(sleep, start_new_session=True)
    leave = f"import subprocess as s; print(s.Popen({sleep!r}, start_new_session=True, stdout=s.DEVNULL).pid)"
    orphan = int(subprocess.check_output([sys.executable, "-c", leave]))
    return [os.getpid(), os.getppid(), plain.pid, apart.pid, orphan]


def call_by_name(module: str, name: str) -> Any:
    return getattr(__import__(module), name)()
