"""Reports on healthy models, made once for all tests that read what some check says of them."""

from __future__ import annotations

import fcntl
import functools
import os
import pickle
from pathlib import Path

import tierproof
from tierproof.core.check_result import CheckResult
from tierproof.core.report import Report
from zoo.handwritten import HANDWRITTEN, build
from zoo.pretrained_configs import TINY

FOLDER = "TIERPROOF_TEST_REPORTS"  # shared by the processes among which the tests are spread


@functools.cache
def check_healthy(name: str) -> Report:
    """The report on a model of HANDWRITTEN or TINY, with all checks but the one that only times."""
    kept = Path(os.environ[FOLDER], f"{name}.pickle")
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            model = build(name) if name in HANDWRITTEN else TINY[name][0]()
            kept.write_bytes(pickle.dumps(tierproof.check(model, skip=["T1-SPEED"], progress=False)))
        report: Report = pickle.loads(kept.read_bytes())
        return report


def read_result(name: str, code: str) -> CheckResult:
    """What one check said, which must not have crashed."""
    (result,) = (each for each in check_healthy(name).results if each.code == code)
    assert result.outcome.value != "errored", result.reason
    return result
