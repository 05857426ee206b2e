"""In a process of its own: build one case, check it, and write what counts of the report as JSON.

`python check_case.py NAME PACKAGES OUT LIMIT_S`
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve()
Record = dict[str, Any]


def main(name: str, packages: str, out: str, limit_s: str) -> None:
    sys.path[:0] = [str(_HERE.parents[1]), str(_HERE.parents[2] / "src")]
    sys.path.append(packages)
    os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
    # Of processor time, not of the clock: another process on the machine shall not decide what is too slow.
    resource.setrlimit(resource.RLIMIT_CPU, (int(float(limit_s)), int(float(limit_s)) + 5))
    warnings.simplefilter("ignore")
    record = check_case(name)
    # In KiB on Linux, in bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    record["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    Path(out).write_text(json.dumps(record), encoding="utf-8")
    # What a package started (threads, servers) shall not hold the process.
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


if __name__ == "__main__":
    main(*sys.argv[1:5])
