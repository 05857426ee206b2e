"""The lock that a process holds while it changes an environment. Readers never take it."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tierproof.errors import OutputError, TierproofError

LOCK_NAME = "lock"
_POLL_S = 0.05
# The system's lock belongs to the whole process, so threads of one process wait for each other here.
_threads: dict[str, threading.Lock] = {}
_registry = threading.Lock()


class EnvironmentBusyError(TierproofError):
    """Another process is changing this environment, and did not finish in time."""

    slug = "environment-busy"


@contextlib.contextmanager
def lock_environment(folder: Path, *, limit_s: float) -> Iterator[None]:
    """Hold the lock of the environment whose folder is `folder`.

    The system releases it when its holder ends for any reason, so a killed process blocks no other; children that
    the holder has forked do not inherit it. It is not reentrant.

    Args:
        folder: as `find_environment_folder` gives it.
        limit_s: how long to wait for another holder, in seconds; 0 asks once.

    Raises:
        EnvironmentBusyError: another process or thread held it all that time; it is named where known.
        OutputError: the lock file cannot be written, or the file system there cannot lock.
    """
    path = folder / LOCK_NAME
    ends_at = time.monotonic() + limit_s
    with _registry:
        thread_lock = _threads.setdefault(os.path.realpath(path), threading.Lock())
    if not thread_lock.acquire(timeout=max(limit_s, 0)):
        raise _busy(path, os.getpid())
    try:
        descriptor = _open(path)
        try:
            _wait(descriptor, path, ends_at)
            _sign(descriptor)
            yield
        finally:
            os.close(descriptor)  # this drops the lock
    finally:
        # A child that was forked meanwhile holds no lock: its table was emptied.
        if thread_lock.locked():
            thread_lock.release()


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror}",
            hint="Nothing was changed. Make this file writable, or set XDG_DATA_HOME to a writable folder.",
        ) from error


def _wait(descriptor: int, path: Path, ends_at: float) -> None:
    while not _try_lock(descriptor, path):
        if time.monotonic() >= ends_at:
            raise _busy(path, _read_signature(descriptor))
        time.sleep(_POLL_S)  # a blocking call could not be given a limit, nor always be interrupted


def _try_lock(descriptor: int, path: Path) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 1 << 20, os.SEEK_SET)  # far behind the text, which stays readable
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            # Not flock: that one is inherited by fork, and a forked child would keep it for a dead holder.
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        raise OutputError(
            f"{path} cannot be locked: {error.strerror}",
            hint="Nothing was changed. Set XDG_DATA_HOME to a folder on a local disk.",
        ) from error
    return True


def _sign(descriptor: int) -> None:
    """Say who holds the lock. It is held without that as well, as on a full disk."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, f"{os.getpid()}\n".encode())


def _read_signature(descriptor: int) -> int:
    os.lseek(descriptor, 0, os.SEEK_SET)
    text = os.read(descriptor, 32).strip()
    return int(text) if text.isdigit() else 0


def _busy(path: Path, pid: int) -> EnvironmentBusyError:
    who = "this process" if pid == os.getpid() else f"process {pid}" if pid else "another process"
    return EnvironmentBusyError(
        f"{who} is changing this environment at the moment",
        hint=f"Nothing was changed. Try again when {who} has finished. (The lock is {path}.)",
    )


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.clear)
