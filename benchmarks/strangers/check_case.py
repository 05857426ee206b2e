"""In a child process: build one case, check it, and give what counts of the report."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from typing import Any

Record = dict[str, Any]


def answer(name: str, packages: str, limit_s: float, writing: int) -> None:
    """Check one case, write its record as JSON to a pipe, and end the process without running anybody's clean-up."""
    # Of processor time, not of the clock: another process on the machine shall not decide what is too slow.
    resource.setrlimit(resource.RLIMIT_CPU, (int(limit_s), int(limit_s) + 5))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    sys.path.append(packages)
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", MPLBACKEND="agg")
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        record = check_case(name)
    # In KiB on Linux, in bytes on macOS; what the process was forked with counts as its own.
    unit = 1 if sys.platform == "darwin" else 1024
    record["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    with os.fdopen(writing, "w", encoding="utf-8") as pipe:
        json.dump(record, pipe)
    os._exit(0)


def check_case(name: str) -> Record:
    """Build and check; the record tells how far it came: `state` is `unbuilt`, `refused`, `crashed` or `judged`."""
    import torch

    from strangers.cases import CASES
    from strangers.stand_in import stand_in_for

    torch.set_num_threads(1)
    torch.manual_seed(0)
    stand_in_for(CASES[name].stand_ins)
    try:
        built = CASES[name].build()
    except BaseException as error:  # noqa: BLE001 - it is the record
        return {"state": "unbuilt", **_tell(error)}
    model, options = built if isinstance(built, tuple) else (built, {})
    facts = {
        "class": f"{type(model).__module__}.{type(model).__qualname__}",
        "parameters": _count_parameters(model),
        "helped": sorted(options),
    }
    return {**facts, **_judge(model, options)}


def _count_parameters(model: Any) -> int:
    import torch

    try:
        return sum(p.numel() for p in model.parameters() if type(p) is torch.nn.Parameter)
    except TypeError:  # a class that took its hash away cannot be walked
        return 0


def _judge(model: Any, options: dict[str, Any]) -> Record:
    import tierproof as tp

    started, worked = time.perf_counter(), time.process_time()
    try:
        report = tp.check(model, progress=False, **options)
    except tp.TierproofError as error:
        outcome = {"state": "refused", **_tell(error), "hint": getattr(error, "hint", "")}
    except BaseException as error:  # noqa: BLE001 - it is the record
        outcome = {"state": "crashed", **_tell(error)}
    else:
        outcome = {"state": "judged", **_read(report)}
    spent = {
        "seconds": round(time.perf_counter() - started, 3),
        "cpu_seconds": round(time.process_time() - worked, 3),
    }
    return {**outcome, **spent}


def _read(report: Any) -> Record:
    return {
        "verdict": report.verdict.value,
        "kind": report.model.kind,
        "inputs": list(report.model.inputs),
        "findings": [
            {**finding.to_dict(), "check": result.code}
            for result in report.results
            for finding in result.findings
        ],
        "errored": {r.code: r.reason for r in report.results if r.outcome.value == "errored"},
        "times": {r.code: round(r.duration_s, 3) for r in report.results},
    }


def _tell(error: BaseException) -> Record:
    return {
        "why": f"{type(error).__name__}: {error}"[:3000],
        "at": "".join(traceback.format_exception(error)[-4:])[-2000:],
    }
