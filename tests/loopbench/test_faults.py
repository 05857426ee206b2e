"""The loop bench is what it says: small patches of sound loops, each of which the audit finds and places."""

from __future__ import annotations

import pytest

from loopbench.fault import Fault, list_sound, read_loop
from loopbench.faults import load_faults
from loopbench.judge import Audited, audit_loop, judge_fault
from loopbench.results import STEPS_BAR, summarize
from sampled import prefer

FAULTS = load_faults()
SOUND = dict(list_sound())
# What no record of a few steps tells, with the reason.
UNDETECTED = {
    "vision_own_generator": "it is found, but nothing tells where the numbers were drawn",
    "classifier_running_norm": "an info names the variable: whether it is saved elsewhere cannot be known",
}
QUICK_FAULTS = {
    "classifier_never_zeroed",
    "vision_left_in_eval",
    "ema_copy_without_buffers",
    "hand_scaled_clipped_first",
}
QUICK_SOUND = {"nanogpt", "keras_like", "hand_written_sgd", "sharpness_aware"}
REFUSED = {"gan": "model="}
# Sound loops that get a warning, with the reason.
WARNED = {
    "shuffled_together": "the state of its own generator is in no state_dict",
    "token_autoencoder": "it writes tokens that it sees, as a language model must not",
}


def test_there_are_enough_of_them():
    assert len(FAULTS) >= 100
    assert len({fault.loop for fault in FAULTS}) >= 12
    assert len({fault.kind for fault in FAULTS}) >= 10
    assert len(SOUND) >= 48


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_is_a_small_patch_with_its_place_and_its_reason(fault):
    assert 1 <= len(fault.describe().splitlines()) <= 30
    assert fault.realism
    assert fault.lines or fault.names


@pytest.mark.parametrize(
    "fault",
    prefer(FAULTS, [each for each in FAULTS if each.name in QUICK_FAULTS]),
    ids=lambda fault: fault.name,
)
def test_a_fault_is_found_and_located_and_all_is_left_as_it_came(fault):
    judgement = judge_fault(fault, Audited(fault.loop))
    if judgement.audited.lacking:
        pytest.skip(f"{judgement.audited.lacking} is not installed")
    assert judgement.located != (fault.name in UNDETECTED), judgement
    assert judgement.audited.errored == ()
    assert judgement.audited.unlike == ()
    assert judgement.audited.steps <= STEPS_BAR


@pytest.mark.parametrize("name", prefer(SOUND, QUICK_SOUND & SOUND.keys()))
def test_a_sound_loop_gets_no_error(name):
    audited = audit_loop(name, SOUND[name])
    if audited.lacking:
        pytest.skip(f"{audited.lacking} is not installed")
    assert REFUSED.get(name, "") in audited.refused
    assert bool(audited.refused) == (name in REFUSED)
    assert [alarm for alarm in audited.alarms if alarm.severity == "error"] == []
    assert bool(audited.alarms) == (name in WARNED), audited.alarms
    assert audited.errored == ()
    assert audited.unlike == ()
    assert audited.steps <= STEPS_BAR


def test_a_patch_that_does_not_fit_is_refused():
    fault = Fault("nowhere", "classifier", (("no such line", ""),), (), ("model",), "never")
    with pytest.raises(ValueError, match="occurs 0 times"):
        fault.read_source()


def test_a_line_that_is_not_there_is_refused():
    fault = Fault("nowhere", "classifier", (), ("no such line",), (), "never")
    with pytest.raises(ValueError, match="not in the patched source"):
        fault.read_source()


def test_loops_stand_alone():
    for name in {fault.loop for fault in FAULTS}:
        assert "tierproof" not in read_loop(name).replace("`tierproof.audit`", "")


def test_a_missed_fault_misses_the_bar():
    fault = next(each for each in FAULTS if each.name == "classifier_never_zeroed")
    from loopbench.judge import Judgement

    text, met = summarize([Judgement(fault, Audited(fault.name), ())], [Audited("classifier")])
    assert not met
    assert "missed: classifier_never_zeroed" in text
