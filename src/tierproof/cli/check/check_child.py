"""The child process of `tierproof check`: loads the target, checks it, answers on its own pipe.

It is started as `python -P -m tierproof.cli.check.check_child FD`, with a `CheckRequest` as one line on its
stdin. It writes one JSON object per line to FD: progress events, then a report or an error. Its stdout
and stderr belong to the user's code. When its stdin ends, the parent is gone, and so is everything here.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tierproof._optional import require
from tierproof.cli.check.artifact_message import encode_artifacts
from tierproof.cli.check.check_request import CheckRequest
from tierproof.cli.check.hang_watch import HangWatch
from tierproof.cli.terminal.error_message import describe_error
from tierproof.core.end_process import kill_group
from tierproof.core.json_value import JsonValue
from tierproof.model.load.target import TargetError

if TYPE_CHECKING:
    from tierproof.core.report import Report

Progress = Callable[[int, int, str], None]


def main() -> int:
    """Serve one request; 0 when it was answered, also with an error."""
    channel = int(sys.argv[1])
    os.set_inheritable(channel, False)
    lock = threading.Lock()

    def send(event: str, **fields: JsonValue) -> None:
        line = json.dumps({"event": event, **fields}, allow_nan=False).encode() + b"\n"
        with lock, open(channel, "wb", closefd=False) as stream:
            stream.write(line)

    request = CheckRequest.from_line(_take_request())
    _prepare_process(debug=request.debug)
    watch = HangWatch(request.timeout_s, lambda error: send("error", error=describe_error(error)))

    def progress(done: int, total: int, name: str) -> None:
        watch.note_progress(name)
        send("progress", done=done, total=total, name=name)

    try:
        report = judge(request, progress)
        watch.end()
        send("report", report=report.to_dict(), artifacts=encode_artifacts(report))
    except SystemExit as error:
        send("error", error=describe_error(_explain_exit(error)))
    except BaseException as error:  # noqa: BLE001 - told to the parent, which shows it
        send("error", error=describe_error(error))
    return 0


def judge(request: CheckRequest, progress: Progress) -> Report:
    """Load and check what `request` names.

    Raises:
        TierproofError: what could not be done, and what to do about it.
    """
    started_s = time.monotonic()
    require("torch", feature="to check a model")
    from tierproof.api.check_loaded import check_loaded
    from tierproof.api.check_options import CheckOptions
    from tierproof.checks.registry import load_checks, select_checks
    from tierproof.model.call.spec import ModelSpec
    from tierproof.model.load.load import LoadOptions, load_target
    from tierproof.model.load.load_gist import DEFAULT_GIST_URL
    from tierproof.model.load.load_hub import DEFAULT_HUB_URL
    from tierproof.model.load.load_inputs import load_inputs

    select_checks(load_checks(request.tier), tier=request.tier, only=request.only, skip=request.skip)
    progress(0, 0, f"loading {request.target}")
    options = LoadOptions(
        weights=request.weights,
        trust=request.trust,
        seed=request.seed,
        cache_dir=Path(request.cache_dir) if request.cache_dir else None,
        hub_url=request.hub_url or DEFAULT_HUB_URL,
        gist_url=request.gist_url or DEFAULT_GIST_URL,
    )
    loaded = load_target(request.target, options)
    with ExitStack() as scopes:
        scopes.enter_context(loaded.scope)
        inputs = None
        if request.inputs:
            inputs, scope = load_inputs(request.inputs, seed=request.seed)
            scopes.enter_context(scope)
        return check_loaded(
            loaded,
            CheckOptions(
                tier=request.tier,
                inputs=inputs,
                spec=ModelSpec.from_mapping(request.spec),
                only=request.only,
                skip=request.skip,
                seed=request.seed,
                budget_s=request.budget_s,
                device=request.device,
                progress=progress,
                started_s=started_s,
            ),
        )


def _take_request() -> bytes:
    """Read the request, then keep stdin for `_end_with_parent` and give user code an empty one."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 65536)
        if not piece:
            os._exit(2)
        line += piece
    watched = os.dup(0)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
    threading.Thread(target=_end_with_parent, args=(watched,), daemon=True).start()
    return line


def _end_with_parent(watched: int) -> None:
    """Kill this process and all it started as soon as the parent is gone."""
    with contextlib.suppress(OSError):
        while os.read(watched, 4096):
            pass
    kill_group(os.getpgid(0))


def _prepare_process(*, debug: bool) -> None:
    if debug:
        faulthandler.enable()
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash leaves no core file beside the user's
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]


def _explain_exit(error: SystemExit) -> TargetError:
    explained = TargetError(
        f"the model's code called sys.exit({error.code!r}) during the check",
        hint="Raise an exception there instead.",
    )
    return explained.with_traceback(error.__traceback__)


if __name__ == "__main__":
    sys.exit(main())
