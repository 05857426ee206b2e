"""The watch: predicts what an install command changes, and stops it or lets it run."""

from __future__ import annotations

import os
import re
import stat
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType

from tierproof.api.packages.doctor import doctor
from tierproof.core.credentials import hide_credentials
from tierproof.extension.advice import make_stop
from tierproof.extension.notice import Notice, show
from tierproof.extension.stopped import InstallStopped
from tierproof.extension.tear_check import TearCheck
from tierproof.guard.capture.base import Base, capture_base
from tierproof.guard.capture.disk_history import HISTORY
from tierproof.guard.commands.pip_command import (
    PipCommand,
    may_install,
    parse_pip_arguments,
    parse_pip_commands,
)
from tierproof.guard.foresee.foresee_pip import DEFAULT_LIMIT_S, foresee
from tierproof.guard.foresee.foreseen import Foreseen
from tierproof.guard.mend.diagnosis import Diagnosis

_ALLOW = re.compile(r"#\s*tierproof:\s*allow\b", re.IGNORECASE)
_LOOKING = "looking for replaced packages after the cell"
_MOST_SCRIPT_BYTES = 1 << 18
_OWN = ("tierproof.guard.", "tierproof.api.", "tierproof.cli.")


class Watch:
    """Judges commands and cells of one kernel.

    Args:
        tell: shows a notice.
        capture: captures this interpreter and what it has loaded.
        diagnose: the doctor.
    """

    def __init__(
        self,
        *,
        tell: Callable[[Notice], None] = show,
        capture: Callable[[], Base] = capture_base,
        diagnose: Callable[[], Diagnosis] = doctor,
    ) -> None:
        self.enabled = True
        self.limit_s = DEFAULT_LIMIT_S
        self.allow_next = False
        self._tell = tell
        self._capture = capture
        self._tears = TearCheck(diagnose)
        self._allows_cell = False
        self._failures: set[str] = set()
        self._failures_now: set[str] = set()  # of this cell
        self._told: set[str] = set()
        self._judged: dict[tuple[object, ...], Foreseen] = {}
        self._not_stopped: dict[str, None] = {}
        self._local = threading.local()

    # -- cells

    def begin(self) -> None:
        """Note what the environment looks like, and tell what is torn already."""
        self._guarded("examining the environment", lambda: self._check_tears(always=True))

    def before_cell(self, source: str) -> None:
        """Take note of a cell that is about to run."""
        self._allows_cell = self.allow_next or _ALLOW.search(source) is not None
        self.allow_next = False
        self._judged.clear()
        self._told.clear()
        self._failures_now.clear()
        self._not_stopped.clear()

    def after_cell(self) -> None:
        """Tell when something that is loaded was changed on disk."""
        if self.enabled:
            self._guarded(_LOOKING, self._check_tears)

    def allow_cells(self) -> None:
        """Let the installs of this cell and the next through."""
        self.allow_next = self._allows_cell = True

    # -- commands

    def consider_text(
        self, text: str, environment: Mapping[str, str] | None = None, folder: str = ""
    ) -> None:
        """Judge shell text that is about to run.

        Raises:
            InstallStopped: it would change what is loaded.
        """
        if self._is_idle() or not may_install(text):
            return
        read = _ScriptReader(folder).read
        self._consider(
            lambda: parse_pip_commands(text, environment, read, is_shell_text=True), environment, folder
        )

    def consider_arguments(
        self, arguments: Sequence[str], environment: Mapping[str, str] | None = None, folder: str = ""
    ) -> None:
        """Judge the command line of a process that is about to start.

        Raises:
            InstallStopped: it would change what is loaded.
        """
        if self._is_idle() or not any(may_install(word) for word in arguments):
            return
        read = _ScriptReader(folder).read
        self._consider(lambda: parse_pip_arguments(arguments, environment, read), environment, folder)

    @contextmanager
    def settled(self) -> Iterator[None]:
        """What this thread starts inside has been judged already."""
        before = getattr(self._local, "settled", False)
        self._local.settled = True
        try:
            yield
        finally:
            self._local.settled = before

    def _is_idle(self) -> bool:
        return not self.enabled or self._allows_cell or getattr(self._local, "settled", False)

    def _consider(
        self,
        parse: Callable[[], tuple[PipCommand, ...]],
        environment: Mapping[str, str] | None,
        folder: str,
    ) -> None:
        stop: InstallStopped | None = None

        def judge() -> None:
            nonlocal stop
            found = [each for each in parse() if each.changes_packages]
            if not found or _is_called_by_tierproof():
                return
            # What may not run is not stopped: the comparison after the cell tells whether it did.
            self._not_stopped |= {hide_credentials(each.text): None for each in found if each.is_conditional}
            commands = [each for each in found if not each.is_conditional]
            if not commands:
                return
            with self.settled():
                stop = self._judge(commands, environment, folder)

        self._guarded("checking an install", judge)
        if stop is not None:
            raise stop

    def _judge(
        self, commands: Sequence[PipCommand], environment: Mapping[str, str] | None, folder: str
    ) -> InstallStopped | None:
        base = self._capture()
        foreseen = []
        for command in commands:
            placed = replace(command, folder=os.path.join(folder, command.folder)) if folder else command  # noqa: PTH118
            key = (placed, base.loaded.names, tuple(sorted((environment or {}).items())))
            found = self._judged.get(key)
            if found is None or found.unforeseen:  # a file that was not there may have been written since
                found = foresee(placed, base, limit_s=self.limit_s, environment=environment)
                self._judged[key] = found
            foreseen.append(found)
        if any(each.harms for each in foreseen):
            return make_stop(foreseen, self.limit_s)
        for each in foreseen:
            self._tell_unforeseen(each)
        return None

    def _tell_unforeseen(self, foreseen: Foreseen) -> None:
        text = hide_credentials(foreseen.command.text)
        if not foreseen.unforeseen or text in self._told:
            return
        self._told.add(text)
        lines = (
            text,
            f"tierproof could not work out everything that this command changes: {foreseen.unforeseen}.",
            "The command runs anyway. If it changes a loaded package, you are told after the cell.",
        )
        self._tell(Notice("this install could not be checked in advance.", lines, "info"))

    # -- tears and failures

    def _check_tears(self, *, always: bool = False) -> None:
        HISTORY.look()
        notice = self._tears.look(always=always)
        if notice is None:
            return
        if self._not_stopped:
            texts = "; ".join(self._not_stopped)
            line = (
                f"These commands were not stopped, because the cell runs them only under a condition: {texts}"
            )
            notice = replace(notice, lines=(*notice.lines, line))
        self._tell(notice)

    def _guarded(self, doing: str, act: Callable[[], None]) -> None:
        """Do something of the watch's own: where that fails, say so once, and leave the cell alone."""
        try:
            act()
        except Exception as error:  # noqa: BLE001 - reported below; a cell must not fail by its watch
            self.report(doing, error)

    def report(self, doing: str, error: Exception) -> None:
        """Show a failure of the watch itself: in full the first time that it occurs, then in a line.

        An install that runs unchecked is told in each cell; only what follows every cell is told once.
        """
        where = traceback.extract_tb(error.__traceback__)[-1:]
        cause = f"{type(error).__name__}: {hide_credentials(_describe(error))}"
        again = cause in self._failures
        if cause in self._failures_now or (again and doing == _LOOKING):
            return
        self._failures.add(cause)
        self._failures_now.add(cause)
        place = "".join(f" ({frame.filename.rpartition('/')[2]}:{frame.lineno})" for frame in where)
        runs = "The cell runs without being checked for installs that break loaded packages."
        lines = (f"{cause}{place}", f"{runs} `%tierproof watch --off` turns the watch (these checks) off.")
        notice = Notice(f"the watch failed while {doing}.", lines, "warning")
        if again:
            notice = Notice(f"the watch failed again while {doing}: {cause}", (runs,), "warning")
        try:
            self._tell(notice)
        except Exception:  # noqa: BLE001 - the display itself is broken: the terminal is left
            sys.stderr.write(notice.to_text() + "\n")


def _describe(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - its own text cannot be had; its name is told
        return "it cannot be shown as text"


class _ScriptReader:
    """Reads the scripts that a command runs, where they are small and text.

    Args:
        folder: where the command starts; empty for the current one.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def read(self, path: str) -> str | None:
        """The text of a file; None for one that is absent, large or no text."""
        file = os.path.join(self._folder, os.path.expanduser(path))  # noqa: PTH111, PTH118
        try:
            if not stat.S_ISREG(os.stat(file).st_mode):  # noqa: PTH116 - a pipe would wait for a writer
                return None
            with open(file, "rb") as stream:  # noqa: PTH123
                content = stream.read(_MOST_SCRIPT_BYTES + 1)
        except (OSError, ValueError):
            return None
        if len(content) > _MOST_SCRIPT_BYTES or b"\0" in content:
            return None
        return content.decode(errors="replace")


def _is_called_by_tierproof() -> bool:
    """Tell whether tierproof itself starts the process: its installs are planned already."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith(_OWN):
            return True
        frame = frame.f_back
    return False
