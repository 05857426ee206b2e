"""Models that are loaded in half precision are judged as in float32, and not at the speed of emulated products."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import tierproof as tp
from sampled import sample
from tierproof.core.finding import Severity
from zoo.handwritten import HANDWRITTEN, CharGPT, build

HALVES = [torch.float16, torch.bfloat16]
NAMES = sorted(HANDWRITTEN)


class Recorder(TorchDispatchMode):
    """Records the dtype of each matrix product that reaches PyTorch's kernels."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket.__name__.endswith("mm"):
            self.seen.add(args[0].dtype)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_no_product_runs_in_half_precision(dtype):
    recorder = Recorder()
    with recorder:
        report = tp.check(CharGPT().to(dtype), progress=False, skip=["T1-SPEED", "T1-MEM"])
    assert report.verdict.value == "pass"
    assert torch.float32 in recorder.seen
    assert dtype not in recorder.seen


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_speed_is_measured_on_the_kernels_that_the_model_uses(dtype):
    recorder = Recorder()
    with recorder:
        tp.check(CharGPT().to(dtype), progress=False, only=["T1-SPEED"])
    assert dtype in recorder.seen


@pytest.mark.parametrize("dtype", sample(HALVES, 2), ids=str)
@pytest.mark.parametrize("name", sample(NAMES, 8))
def test_the_findings_are_those_of_float32(name, dtype):
    whole, half = (tp.check(build(name).to(kind), progress=False) for kind in (torch.float32, dtype))
    assert find_codes(half) == find_codes(whole)
    assert [r.code for r in half.results if r.outcome.value == "errored"] == []


def find_codes(report):
    return {(f.code, f.where) for f in report.findings if f.severity is not Severity.INFO}
