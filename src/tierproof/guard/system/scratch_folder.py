"""A folder for what is needed for a moment. One that a kill left behind is removed by the next of this user."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tierproof.guard.system.process import process_start_ticks

_PREFIX = "tierproof-temporary-"


@contextlib.contextmanager
def open_scratch_folder() -> Iterator[Path]:
    """Make an empty folder among the system's temporary ones, for this user alone; it is removed afterwards.

    Raises:
        OSError: it cannot be made.
    """
    _sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-{_tell_start(os.getpid())}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tell_start(pid: int) -> int:
    return process_start_ticks(pid) or 0


def _sweep(place: Path) -> None:
    """Remove what ended processes left: a number that went to another process since does not protect it."""
    if not _tell_start(os.getpid()):  # nor could it be told which have ended
        return
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            pid, _, rest = entry.name.removeprefix(_PREFIX).partition("-")
            if not entry.name.startswith(_PREFIX) or not pid.isdigit():
                continue
            is_ours = entry.is_dir(follow_symlinks=False) and _is_own(entry)
            if is_ours and str(_tell_start(int(pid))) != rest.partition("-")[0]:
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_own(entry: os.DirEntry[str]) -> bool:
    return not hasattr(os, "geteuid") or entry.stat(follow_symlinks=False).st_uid == os.geteuid()
