"""The loop of a worker: receives a call, runs it and answers, until the other end closes."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import linecache
import os
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from io import TextIOWrapper
from types import CodeType, FrameType, ModuleType, TracebackType
from typing import Any

from tierproof.guard.isolate.channel import Channel, Message
from tierproof.guard.isolate.layer_namespaces import adopt_namespaces
from tierproof.guard.isolate.parcel import Parcel, pack
from tierproof.guard.isolate.readable import find_readable

# What cloudpickle puts in the place of a cell's file name.
_NAMELESS = "<dynamic-code>"
_MOST_LINES = 200


def serve_calls(end: socket.socket) -> None:
    """Serve until the other end closes, or no call has come for the time given in the greeting."""
    channel = Channel(end)
    turn = _Turn()
    signal.signal(signal.SIGINT, turn.interrupt)
    _prepare_streams()
    greeting = channel.receive()
    if greeting is None:
        return
    layer = [str(entry) for entry in greeting.header["layer"]]
    surroundings = _Surroundings(layer)
    surroundings.follow(greeting.header)
    if layer:
        adopt_namespaces(layer)
    sys.modules["__main__"] = ModuleType("__main__")
    sys.argv = [""]
    channel.send({"kind": "ready", "pid": os.getpid()})
    idle_s = greeting.header["idle_s"]
    while find_readable([channel.fileno()], idle_s):
        message = channel.receive()
        if message is None or message.header["kind"] == "close":
            return
        surroundings.follow(message.header)
        _answer(channel, message, turn)
        del message  # a large argument goes now, not at the next call
    with contextlib.suppress(OSError):
        channel.send({"kind": "idle"})


class _Turn:
    """Whether a call runs: an interruption at any other time is none of the user's code's business."""

    def __init__(self) -> None:
        self.runs = False

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt in a call; ignore it between two."""
        if self.runs:
            self.runs = False
            raise KeyboardInterrupt


class _Surroundings:
    """The path, the folder and the variables of the process that asks, as they are at each call."""

    def __init__(self, layer: list[str]) -> None:
        self._layer = layer
        self._environment: Mapping[str, str] = {}

    def follow(self, header: Mapping[str, Any]) -> None:
        """Take over what has changed there; what calls have changed here stays otherwise."""
        sys.path[:] = [*self._layer, *header["path"]]
        with contextlib.suppress(OSError):  # the folder was removed meanwhile
            os.chdir(header["folder"])
        environment = header["environment"]
        for name in self._environment.keys() - environment.keys():
            os.environ.pop(name, None)
        for name, value in environment.items():
            if self._environment.get(name) != value:
                os.environ[name] = value
        self._environment = environment
        for name, lines in header.get("sources", {}).items():
            linecache.cache[name] = (len("".join(lines)), None, lines, name)
        importlib.invalidate_caches()


def _answer(channel: Channel, message: Message, turn: _Turn) -> None:
    """Run one call and send its result or its error."""
    try:
        turn.runs = True
        try:
            result = _run(message)
            parcel = pack(result)
        finally:
            turn.runs = False
        _flush()
        channel.send({"kind": "result", "copies": parcel.copies}, parcel)
    except BrokenPipeError:
        raise SystemExit(0) from None
    except BaseException as error:  # noqa: BLE001 - sent back
        turn.runs = False
        _flush()
        channel.send(*describe_error(error))


def _run(message: Message) -> Any:
    function, args, kwargs = message.open()
    _name_source(function, message.header.get("sources", {}))
    return function(*args, **kwargs)


def _name_source(function: Any, sources: Mapping[str, list[str]]) -> None:
    """Return a function of a notebook's cell the file name of its cell again: cloudpickle leaves it out."""
    code = getattr(function, "__code__", None)
    if len(sources) == 1 and code is not None and code.co_filename == _NAMELESS:
        function.__code__ = _rename(code, *sources)


def _rename(code: CodeType, name: str) -> CodeType:
    constants = (_rename(each, name) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_filename=name, co_consts=tuple(constants))


def describe_error(error: BaseException) -> tuple[dict[str, Any], Parcel | None]:
    """Put an exception into a message: its names and traceback in words, and itself where that can be."""
    own = {__file__, pack.__code__.co_filename}
    trace: TracebackType | None = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename in own and trace.tb_next is not None:
        trace = trace.tb_next
    lines = traceback.format_exception(type(error), error, trace)
    header = {
        "kind": "error",
        "type": f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins."),
        "module": type(error).__module__,
        "words": _say(error),
        "traceback": "".join(lines[-_MOST_LINES:]),
    }
    try:
        return header, pack(error)
    except Exception:  # noqa: BLE001 - then its words must do
        return header, None


def _say(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as another:  # noqa: BLE001 - its __str__ is the user's code
        return f"(its message cannot be read: {type(another).__name__})"


def _prepare_streams() -> None:
    """Let any text be printed, and a crash of native code say where it was."""
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, TextIOWrapper)
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    with contextlib.suppress(OSError, ValueError):
        faulthandler.enable()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).fflush(None)  # what C code has printed
