"""Notice that a check hangs, and say where: which stage, which module, which line."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from tierproof.errors import TierproofError

_POLLS = 20
STARTING = "starting"
# Importing torch from a cold disk takes a while, and is nobody's model.
_STARTING_S = 120.0
_LONGEST_GAP_S = 5.0


class HangError(TierproofError):
    """The check made no progress within its time limit; the message says where it was."""

    slug = "check-hangs"


def allowed_s(limit_s: float, stage: str) -> float:
    """Seconds that a stage may take without progress."""
    return max(limit_s, _STARTING_S) if stage == STARTING else limit_s


class HangWatch:
    """Watches the thread that made it, from another one.

    Code that hangs while it holds the interpreter's lock stops this thread too; the parent process, which
    waits a little longer, speaks then.

    Args:
        limit_s: seconds without any progress after which `on_hang` is called, once.
        on_hang: told the error, in the watching thread.
    """

    def __init__(self, limit_s: float, on_hang: Callable[[HangError], None]) -> None:
        self._limit_s = limit_s
        self._on_hang = on_hang
        self._stage = STARTING
        self._quiet_s = 0.0
        self._watched = threading.get_ident()
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def note_progress(self, stage: str) -> None:
        """Something was reached: `stage` begins now."""
        self._stage, self._quiet_s = stage, 0.0

    def end(self) -> None:
        """Watch no longer."""
        self._ended.set()

    def _watch(self) -> None:
        poll_s = min(1.0, self._limit_s / _POLLS)
        seen = time.monotonic()
        while not self._ended.wait(poll_s):
            before, seen = seen, time.monotonic()
            # A longer gap is time in which the process, not its code, stood still: Ctrl-Z, or a laptop that slept.
            self._quiet_s += min(seen - before, _LONGEST_GAP_S)
            if self._quiet_s > allowed_s(self._limit_s, self._stage):
                frame = sys._current_frames().get(self._watched)
                self._on_hang(explain_hang(self._limit_s, self._stage, describe_place(frame)))
                return


def explain_hang(limit_s: float, stage: str, place: str = "") -> HangError:
    """The error for a check that went `limit_s` seconds without progress at `stage`."""
    where = f"; the code that runs is in {place}" if place else ""
    return HangError(
        f"the check made no progress for {limit_s:g} s while {stage or 'its process was ending'}{where}",
        hint="If the model is only slow, pass a larger --timeout. Otherwise look for a loop that never ends.",
    )


def describe_place(frame: FrameType | None) -> str:
    """The innermost module that runs in `frame`, and the line of the code it is in; empty for no frame."""
    root: Any = None
    innermost: Any = None
    line = ""
    torch = sys.modules.get("torch")
    while frame is not None:
        module = frame.f_locals.get("self")
        if torch is not None and isinstance(module, torch.nn.Module):
            innermost = module if innermost is None else innermost
            root = module
        if not line and not _is_library(frame.f_code.co_filename):
            line = f"{frame.f_code.co_filename}:{frame.f_lineno}, in {frame.f_code.co_name}"
        frame = frame.f_back
    if root is None:
        return line
    path = next((name for name, part in root.named_modules() if part is innermost), "")
    named = f"`{path}` ({type(innermost).__name__})" if path else type(innermost).__name__
    return f"{named}, {line}" if line else named


def _is_library(file: str) -> bool:
    """Whether a file belongs to PyTorch, Python or this package rather than to the model."""
    folders = file.replace("\\", "/").split("/")
    return (
        file.startswith("<")
        or bool({"site-packages", "dist-packages", "tierproof"} & set(folders))
        or (file.startswith(sys.base_prefix) and "lib" in folders)
    )
