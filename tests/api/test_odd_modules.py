"""Odd modules are checked, or refused with one clear sentence."""

from __future__ import annotations

import time
import warnings

import pytest
import torch
from torch import nn

import tierproof
from tierproof.core.verdict import Verdict
from tierproof.model.load.target import TargetError
from zoo.handwritten import CharGPT, Mlp
from zoo.odd import ODD, HalfBackward, ManyParts, RegisteredCycle, build_odd


def explain(report):
    return [(f.code, f.where, f.message) for f in report.findings if f.severity != "info"] + [
        (r.code, r.reason) for r in report.results if r.outcome == "errored"
    ]


@pytest.mark.parametrize("name", ODD)
def test_odd_and_sound_modules_pass_without_a_word(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao is deprecated, and says so
        report = tierproof.check(build_odd(name), skip=["T1-SPEED"], progress=False)
    assert report.verdict is Verdict.PASS, explain(report)
    assert explain(report) == []


def test_side_effects_are_taken_back():
    model = build_odd("side_effects")
    tierproof.check(model, only=["T1-SHAPE", "T1-STAB"], progress=False)
    assert (model.calls, model.last) == (0, None)


def test_what_a_quantised_model_cannot_be_asked_is_said():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = tierproof.check(build_odd("quantised"), progress=False)
    skipped = {r.code: r.reason for r in report.results if r.outcome == "skipped"}
    assert "quantised" in skipped["T1-CAUSAL"]
    assert "quantised" in skipped["T1-GRAD"]
    assert next(r for r in report.results if r.code == "T1-SHAPE").outcome == "passed"


def test_a_wrong_backward_by_hand_is_found():
    class Model(Mlp):
        def forward(self, x):
            return HalfBackward.apply(self.net[1](self.net[0](x))) @ self.net[2].weight.t()

    torch.manual_seed(0)
    report = tierproof.check(Model(), only=["T1-GRAD"], progress=False)
    assert "T1-GRAD-008" in {f.code for f in report.findings}


def test_writing_into_the_inputs_is_found():
    class Model(CharGPT):
        def forward(self, idx):
            idx.clamp_(max=3)
            return super().forward(idx)

    report = tierproof.check(Model(), only=["T1-STAB"], progress=False)
    assert {f.code for f in report.findings if f.severity == "error"} == {"T1-STAB-004"}


def test_a_cycle_of_registered_modules_is_refused():
    with pytest.raises(TargetError, match=r"child\.parent` is the same module as the model itself") as caught:
        tierproof.check(RegisteredCycle(), progress=False)
    assert "weakref" in caught.value.hint


def test_a_shared_module_is_no_cycle():
    shared = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    report = tierproof.check(
        nn.Sequential(shared, shared, nn.Linear(4, 2)), only=["T1-SHAPE"], progress=False
    )
    assert report.ok


@pytest.mark.parametrize("parts", [250, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_thousand_submodules_take_seconds(parts):
    torch.manual_seed(0)
    began = time.perf_counter()
    report = tierproof.check(ManyParts(parts), only=["T1-REG", "T1-SHAPE", "T1-SAVE"], progress=False)
    assert report.ok, explain(report)
    assert time.perf_counter() - began < 60
