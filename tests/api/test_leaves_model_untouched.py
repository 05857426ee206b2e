"""Invariant 4 of the checks: whatever happens in `tierproof.check`, the model and the process are as they were."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import replace

import pytest
import torch
from torch import nn

import tierproof
from sampled import prefer
from tierproof.checks import registry
from tierproof.checks.tier1.shape import shape
from tierproof.core.verdict import Verdict
from tierproof.model.call.forward_error import ForwardError
from zoo.fingerprint import fingerprint, process_fingerprint
from zoo.handwritten import HANDWRITTEN, build
from zoo.nasty import NASTY
from zoo.pretrained_configs import TINY

FAST_HANDWRITTEN = ("nano_gpt", "seq2seq", "small_conv")
FAST_TINY = ("gpt2",)
NASTY_INPUTS = torch.arange(8.0).view(2, 4)


def changed(before, after):
    return {
        name: (before.get(name), after.get(name))
        for name in before | after
        if before.get(name) != after.get(name)
    }


class Watched:
    """A model that has something of everything the invariant names, and its state at the beginning."""

    def __init__(self, model, *, settings=True):
        self.model = model
        if settings:
            give_it_a_past(model)
        self.handler = signal.getsignal(signal.SIGINT)
        self.before, self.process = fingerprint(model), process_fingerprint()

    def assert_untouched(self):
        assert changed(self.before, fingerprint(self.model)) == {}
        assert changed(self.process, process_fingerprint()) == {}
        assert signal.getsignal(signal.SIGINT) is self.handler
        hooks = {
            name for name, value in vars(nn.modules.module).items() if name.startswith("_global_") and value
        }
        assert hooks <= {"_global_is_full_backward_hook"}


def give_it_a_past(model):
    """Gradients, a frozen parameter, mixed modes, hooks, a counter, a cache and a non-leaf attribute."""
    parameters = list(model.parameters())
    parameters[0].requires_grad_(False)
    for parameter in parameters[1::2]:
        parameter.grad = torch.full_like(parameter, 0.5)
    model.train()
    list(model.modules())[-1].eval()
    model.calls, model.cache = 0, {"seen": []}
    model.loose = torch.ones(3)
    model.nonleaf = parameters[-1] * 2  # deepcopy refuses it
    model.register_forward_pre_hook(count_call)


def count_call(module, arguments):
    module.calls += 1
    module.cache["seen"].append(len(arguments))
    module.loose.add_(1)


def check(model, **options):
    return tierproof.check(model, progress=False, **options)


def test_the_past_is_seen_and_changes_without_the_invariant():
    watched = Watched(build("mlp"))
    watched.model(torch.ones(2, 12))
    names = set(changed(watched.before, fingerprint(watched.model)))
    assert {"model.calls", "model.loose#tensor", "model.cache['seen']#len"} <= names


@pytest.mark.parametrize("name", FAST_HANDWRITTEN)
def test_handwritten_models(name):
    watched = Watched(build(name))
    check(watched.model)
    watched.assert_untouched()


@pytest.mark.parametrize("name", FAST_TINY)
def test_transformers_models(name):
    watched = Watched(TINY[name][0]())
    check(watched.model)
    watched.assert_untouched()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(HANDWRITTEN) - set(FAST_HANDWRITTEN)))
def test_all_handwritten_models(name):
    watched = Watched(build(name))
    check(watched.model)
    watched.assert_untouched()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(TINY) - set(FAST_TINY)))
def test_all_transformers_models(name):
    watched = Watched(TINY[name][0]())
    check(watched.model)
    watched.assert_untouched()


@pytest.mark.parametrize("name", NASTY)
def test_nasty_models(name):
    watched = Watched(NASTY[name](), settings=False)
    with suppress(
        tierproof.TierproofError
    ):  # a model that tears itself down need not be judged, only put back
        check(watched.model, inputs=NASTY_INPUTS)
    watched.assert_untouched()


def shape_check_that(raises):
    """The shape check on a model and process that it changes beyond recognition, and then `raises()`."""

    def run(context):
        model = context.subject.model
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(1)
        model.eval().requires_grad_(False)
        model.register_forward_hook(lambda *_: None)
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(torch.get_num_threads() + 1)
        shape.CHECK.run(context)
        raises()

    return replace(shape.CHECK, run=run)


def plant(monkeypatch, raises):
    checks = registry.load_checks()
    planted = tuple(shape_check_that(raises) if check.code == "T1-SHAPE" else check for check in checks)
    assert planted != checks
    monkeypatch.setattr(registry, "load_checks", lambda _tier: planted)


@pytest.mark.parametrize("name", prefer(["nano_gpt", "gpt2"], ["nano_gpt"]))
def test_a_check_that_crashes_half_way(name, monkeypatch):
    def crash():
        raise RuntimeError("half-way")

    plant(monkeypatch, crash)
    watched = Watched(build(name) if name in HANDWRITTEN else TINY[name][0]())
    report = check(watched.model, only=["T1-SHAPE", "T1-GRAD"])
    watched.assert_untouched()
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "half-way" in report.results[0].reason
    # The next check was given the model as it came, not as the crash left it.
    untroubled = check(build(name) if name in HANDWRITTEN else TINY[name][0](), only=["T1-GRAD"])
    assert report.results[1].outcome is untroubled.results[0].outcome


@pytest.mark.parametrize("name", prefer(["nano_gpt", "gpt2"], ["nano_gpt"]))
@pytest.mark.parametrize("press", prefer([True, False], [True]))
def test_ctrl_c_in_a_check(name, press, monkeypatch, capsys):
    def interrupt():
        if press:
            os.kill(os.getpid(), signal.SIGINT)
            raise AssertionError("not reached")
        raise KeyboardInterrupt

    plant(monkeypatch, interrupt)
    watched = Watched(build(name) if name in HANDWRITTEN else TINY[name][0]())
    with pytest.raises(KeyboardInterrupt):
        check(watched.model)
    watched.assert_untouched()
    assert "the model was restored" in capsys.readouterr().err


@pytest.mark.parametrize("calls", prefer([1, 2, 5, 20], [1, 20]))
def test_ctrl_c_inside_the_models_own_forward(calls):
    """Whenever it comes: while inputs are worked out, while traits are measured, in a check."""
    model = build("char_gpt")
    done = 0

    def count_and_press(module, arguments):
        nonlocal done
        done += 1
        if done == calls:
            os.kill(os.getpid(), signal.SIGINT)

    model.blocks[1].register_forward_pre_hook(count_and_press)
    watched = Watched(model)
    with pytest.raises(KeyboardInterrupt):
        check(model)
    watched.assert_untouched()


def test_a_forward_that_ignores_ctrl_c_leaves_it_working():
    model = build("char_gpt")
    model.blocks[1].register_forward_pre_hook(
        lambda *_: signal.signal(signal.SIGINT, signal.SIG_IGN) and None
    )
    watched = Watched(model)
    assert check(model, only=["T1-SHAPE"]).results
    watched.assert_untouched()


def test_a_forward_that_raises_after_some_calls():
    model = build("char_gpt")
    done = []  # in the closure of a hook: the model's too

    def count_and_raise(module, arguments):
        done.append(1)
        if len(done) > 3:
            raise ValueError("enough")

    model.blocks[1].register_forward_pre_hook(count_and_raise)
    watched = Watched(model)
    with pytest.raises(ForwardError, match=r"worked once and raised when it ran again: ValueError: enough"):
        check(model)
    watched.assert_untouched()
    assert done == []
