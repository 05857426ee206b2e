"""Ctrl-C, a short budget and a crash in tier 2: what was measured is kept, and the model is as it came."""

from __future__ import annotations

import os
import signal
import time

import pytest
import torch

import tierproof as tp
from api.test_leaves_model_untouched import Watched
from sampled import prefer
from tierproof.core.check_result import Outcome
from zoo.handwritten import build

ROWS = [torch.arange(12).view(1, 12) * 7 % 61 + number for number in range(4)]


def attribute(model):
    return tp.attribute(model, ROWS, methods=("gradient_times_input", "ablation"), progress=False)


ANALYSES = {
    "attention": lambda model: tp.attention(model, ROWS),
    "capacity": lambda model: tp.capacity(model, examples=ROWS),
    "attribute": attribute,
    "robustness": lambda model: tp.robustness(model, ROWS),
    "adversarial": lambda model: tp.adversarial(model, ROWS, passes=24),
    "check": lambda model: tp.check(model, tier=2, examples=ROWS, progress=False),
}


# What a hook holds in attributes and closures is put back with the model, so the count is kept here.
SEEN = {"passes": 0, "now": 0.0}


def count_and_press(model, at=0):
    """Count the forward passes of a model, and press Ctrl-C during one."""
    SEEN["passes"] = 0

    def note(*_):
        SEEN["passes"] += 1
        if SEEN["passes"] == at:
            os.kill(os.getpid(), signal.SIGINT)

    model.blocks[1].register_forward_pre_hook(note)


def count_passes(name):
    model = build("char_gpt")
    count_and_press(model)
    ANALYSES[name](model)
    return SEEN["passes"]


def is_kept(name, view):
    measured = getattr(view, "measured", None)
    return {
        "attention": lambda: len(measured.patterns) == 3,
        "capacity": lambda: bool(measured.own.stacks),
        "attribute": lambda: "interrupted" in measured.stopped and measured.examples,
        "robustness": lambda: not measured.complete and measured.perturbations,
        "adversarial": lambda: not measured.complete and measured.rows,
    }[name]()


@pytest.mark.parametrize("name", [each for each in ANALYSES if each != "check"])
@pytest.mark.parametrize("share", prefer([0.3, 0.6, 0.8, 1.0], [0.6, 1.0]))
def test_ctrl_c_keeps_what_was_measured_and_the_model(name, share):
    passes = count_passes(name)
    model = build("char_gpt")
    at = max(round(share * passes), 1)
    count_and_press(model, at)
    watched = Watched(model)
    try:
        view = ANALYSES[name](model)
    except KeyboardInterrupt:
        assert share < 1  # before anything was finished
    else:
        assert is_kept(name, view)
        assert view.to_dict()
    assert SEEN["passes"] >= at
    watched.assert_untouched()


@pytest.mark.parametrize("share", prefer([0.2, 0.5, 0.9], [0.5]))
def test_ctrl_c_in_a_check_keeps_the_checks_that_were_finished(share, capsys):
    passes = count_passes("check")
    model = build("char_gpt")
    count_and_press(model, round(share * passes))
    watched = Watched(model)
    with pytest.raises(KeyboardInterrupt) as caught:
        ANALYSES["check"](model)
    watched.assert_untouched()
    said = capsys.readouterr().err
    assert "the model was restored" in said
    report = getattr(caught.value, "report", None)
    if report is None:
        assert share < 0.5
        return
    assert "sys.last_value.report" in said
    assert len(report.results) == 5
    whole = [result for result in report.results if result.outcome is Outcome.PASSED]
    assert whole
    assert all(result.measurements for result in whole)
    assert report.results[-1].reason == "the run was interrupted"


def tell_time_by_passes(model, monkeypatch):
    """A clock that each forward pass of a model moves on by a second."""
    SEEN["now"] = 1000.0

    def move(*_):
        SEEN["now"] += 1.0

    model.blocks[1].register_forward_pre_hook(move)
    monkeypatch.setattr(time, "monotonic", lambda: SEEN["now"])


@pytest.mark.parametrize(
    ("name", "budget_s"), [("attribute", 40.0), ("robustness", 30.0), ("adversarial", 25.0)]
)
def test_a_short_budget_keeps_what_was_measured(name, budget_s, monkeypatch):
    model = build("char_gpt")
    tell_time_by_passes(model, monkeypatch)
    function = getattr(tp, name)
    options = {"methods": ("ablation",), "progress": False} if name == "attribute" else {}
    view = function(model, ROWS, budget_s=budget_s, **options)
    assert view.measured.to_dict()
    stopped = getattr(view.measured, "stopped", "") or not view.measured.complete
    assert stopped


def test_a_crash_of_the_maps_leaves_the_figures(monkeypatch):
    from tierproof.checks.tier2.attention import attention

    def crash(*_):
        raise RuntimeError("no room for maps")

    monkeypatch.setattr(attention, "keep_map_artifact", crash)
    model = build("char_gpt")
    watched = Watched(model)
    report = tp.check(model, tier=2, only=["T2-ATTENTION"], progress=False)
    watched.assert_untouched()
    (result,) = report.results
    assert result.outcome is Outcome.PASSED
    assert result.measurements["heads_left_out_in_turn"] == 12
    assert any("no room for maps" in each for each in result.measurements["unread"])


@pytest.mark.parametrize("place", ["capacity", "robustness", "adversarial", "attribution"])
def test_a_crash_of_one_analysis_leaves_the_others(place, monkeypatch):
    module = __import__(f"tierproof.checks.tier2.{place}", fromlist=[place])
    measure = f"measure_{place}"

    def crash(*_, **__):
        raise ArithmeticError("half-way")

    monkeypatch.setattr(module, measure, crash)
    model = build("char_gpt")
    watched = Watched(model)
    report = tp.check(model, tier=2, only=["T2-ATTENTION", f"T2-{place.upper()}"], progress=False)
    watched.assert_untouched()
    by_code = {result.code: result for result in report.results}
    assert by_code["T2-ATTENTION"].outcome is Outcome.PASSED
    assert by_code[f"T2-{place.upper()}"].outcome is Outcome.ERRORED
    assert "half-way" in by_code[f"T2-{place.upper()}"].reason
