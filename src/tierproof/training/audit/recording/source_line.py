"""The line of the user's own code that made a call."""

from __future__ import annotations

import linecache
import sysconfig
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import FrameType

_OWN = str(Path(__file__).resolve().parents[3])


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One line of a file; `text` is empty where the file cannot be read."""

    file: str
    number: int
    function: str
    text: str = ""

    def __str__(self) -> str:
        """`train.py:31`."""
        return f"{Path(self.file).name}:{self.number}"


def find_source_line(frame: FrameType | None) -> SourceLine | None:
    """The innermost line below `frame` that lies in no installed package and not in tierproof; None where none does."""
    while frame is not None:
        file = frame.f_code.co_filename
        if not _is_installed(file):
            text = linecache.getline(file, frame.f_lineno, frame.f_globals).strip()
            return SourceLine(file, frame.f_lineno, frame.f_code.co_qualname, text)
        if file.startswith(_OWN):
            return None  # the audit itself made the call
        frame = frame.f_back
    return None


def leave_file(frame: FrameType | None, file: str) -> FrameType | None:
    """The first frame, from the innermost on, whose code is not of `file`; None where there is none."""
    while frame is not None and frame.f_code.co_filename == file:
        frame = frame.f_back
    return frame


def locate_error(error: BaseException) -> str:
    """`train.py:31`, the innermost line of the user's own code that an exception passed; empty where there is none."""
    found = ""
    traceback = error.__traceback__
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not _is_installed(file):
            found = f"{Path(file).name}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return found


@lru_cache(maxsize=4096)
def _is_installed(file: str) -> bool:
    """Whether a file belongs to the standard library, an installed package or tierproof."""
    paths = sysconfig.get_paths()
    roots = (paths["stdlib"], paths["platstdlib"], paths["purelib"], paths["platlib"], _OWN)
    if file.startswith("<frozen") or "site-packages" in file or "dist-packages" in file:
        return True
    return file.startswith(tuple(root.rstrip("/") + "/" for root in roots))
