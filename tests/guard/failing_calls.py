"""Calls of the operating system that fail: the k-th of them, with an error of the disk's."""

from __future__ import annotations

import builtins
import errno
import io
import os
import subprocess
from collections.abc import Callable
from typing import Any

ERRORS = (errno.ENOSPC, errno.EACCES, errno.EIO)
_NAMES = (
    "open", "rename", "replace", "unlink", "remove", "mkdir", "rmdir", "fsync", "link", "symlink", "write",
    "chmod", "truncate", "ftruncate", "listdir", "scandir", "utime",
)  # fmt: skip


class FailingCalls:
    """Counts calls, and lets one fail; `install` is for a process that ends with what it tries.

    Args:
        point: number of the call that fails, from 1; 0 for none.
        number: errno of it.
        lasting: every later call that writes fails as well, as on a disk that stays full.
    """

    def __init__(self, point: int, number: int, *, lasting: bool = False) -> None:
        self.point, self.number, self.lasting = point, number, lasting
        self.count = 0
        self.failed = ""

    def install(self) -> None:
        """Put the failing calls into the place of the true ones."""
        for name in _NAMES:
            setattr(os, name, self._wrap(name, getattr(os, name)))
        plain = io.open
        counting = self._make_file_type()

        def open_failing(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            writes = set(mode) & set("wxa+")
            self._tick("open to write" if writes else "open to read", file)
            if not writes or args[:1] == (0,):
                return plain(file, mode, *args, **kwargs)
            raw = counting(file, mode.replace("b", "").replace("t", ""), closefd=kwargs.pop("closefd", True))
            buffered: Any = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            if "b" in mode:
                return buffered
            kwargs.pop("buffering", None)
            return io.TextIOWrapper(buffered, *args[1:], **kwargs)

        builtins.open = io.open = open_failing
        os.fdopen = open_failing
        start = subprocess.Popen._execute_child  # type: ignore[attr-defined]

        def start_failing(process: Any, *args: Any) -> Any:
            self._tick("start a process", args[0])
            return start(process, *args)

        subprocess.Popen._execute_child = start_failing  # type: ignore[attr-defined]

    def _wrap(self, name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self._tick(name, args[0] if args else "")
            return plain(*args, **kwargs)

        return call

    def _make_file_type(self) -> type[io.FileIO]:
        failing = self

        class CountingFile(io.FileIO):
            def write(self, content: Any, /) -> int:
                failing._tick("write to a file", self.name)
                return super().write(content) or 0

        return CountingFile

    def _tick(self, name: str, on: object) -> None:
        self.count += 1
        is_due = self.count == self.point
        if self.lasting and self.point and self.count > self.point:
            is_due = name in ("mkdir", "link", "symlink", "write", "write to a file", "open to write")
        if is_due and not (self.failed and not self.lasting):
            self.failed = self.failed or f"{name} {on}"
            raise OSError(self.number, os.strerror(self.number), str(on))
