"""Where in the model's code a forward pass failed: the frame, its file, line and source."""

from __future__ import annotations

import ast
import functools
import linecache
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch

# The code that passes a fault on, and is not where it lies.
_LIBRARIES = tuple(
    str(path)
    for path in (
        Path(torch.__file__).parent,
        Path(__file__).parents[3],
        sysconfig.get_path("stdlib") + "/",
    )
)
_PASSING = (
    "/einops/",
    "/einx/",
    "/beartype/",
    "/jaxtyping/",
    "<@beartype",
    "<string>",
    "<__array_function__",
)


@dataclass(frozen=True)
class FailedPlace:
    """One line of the model's code, with the variables of its frame."""

    path: str
    line: int
    function: str
    frame: FrameType

    @property
    def source(self) -> str:
        """The source line, without its indentation."""
        return linecache.getline(self.path, self.line).strip()

    def __str__(self) -> str:
        """File and line, for messages."""
        return f"{Path(self.path).name}:{self.line}"


def find_failed_place(error: BaseException) -> FailedPlace | None:
    """The innermost line of the model's own code in a traceback; None where only libraries are in it."""
    found = None
    traceback = error.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        path = frame.f_code.co_filename
        own = "/site-packages/" in path or not path.startswith(_LIBRARIES)
        if own and not path.startswith(_LIBRARIES[:2]) and not any(part in path for part in _PASSING):
            found = FailedPlace(path, traceback.tb_lineno, frame.f_code.co_qualname, frame)
        traceback = traceback.tb_next
    return found


def raised_by_the_model(error: BaseException) -> bool:
    """Whether a line of the model's own code raised it, rather than an operation that this line called."""
    place = find_failed_place(error)
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return place is not None and traceback is not None and traceback.tb_frame is place.frame


@functools.lru_cache(maxsize=64)
def parse_file(path: str) -> ast.Module | None:
    """The syntax tree of a source file; None where it has no source that parses."""
    lines = linecache.getlines(path)
    try:
        return ast.parse("".join(lines)) if lines else None
    except (SyntaxError, ValueError):
        return None
