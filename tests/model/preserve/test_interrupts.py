"""A check that is interrupted leaves the model as it came."""
# ruff: noqa: PT012 - what is raised must be raised inside the context

from __future__ import annotations

import os
import signal
import threading

import pytest
import torch
from torch import nn

from tierproof.model.call.call import Call
from tierproof.model.preserve import preserve as preserve_module
from tierproof.model.preserve.preserve import preserve
from zoo.fingerprint import find_differences, fingerprint
from zoo.nasty import Counting


def block():
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))


# What code of a model may do so that Ctrl-C no longer reaches the work.
DISTURBANCES = [
    pytest.param(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN), id="ignore"),
    pytest.param(lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), id="default"),
    pytest.param(lambda: signal.signal(signal.SIGINT, lambda *_: None), id="handle"),
    pytest.param(block, id="block"),
]


class TestInterrupts:
    def _press(self):
        os.kill(os.getpid(), signal.SIGINT)

    def test_one_stops_the_work_and_the_model_is_restored(self):
        model = Counting()
        handler = signal.getsignal(signal.SIGINT)
        before = fingerprint(model)
        with pytest.raises(KeyboardInterrupt), preserve(model):
            model(torch.zeros(2, 4))
            self._press()
            raise AssertionError("not reached")
        assert find_differences(before, fingerprint(model)) == {}
        assert signal.getsignal(signal.SIGINT) is handler

    @pytest.mark.parametrize("first", [True, False])
    def test_one_during_the_restoration_waits_for_its_end(self, first, monkeypatch):
        model = Counting()
        before = fingerprint(model)
        press = self._press

        ended = []
        restore = preserve_module._ModelState.restore

        def pressed(state, full, failures):
            press()
            lost = restore(state, full, failures)
            press()
            ended.append(True)
            return lost

        monkeypatch.setattr(preserve_module._ModelState, "restore", pressed)
        with pytest.raises(KeyboardInterrupt), preserve(model):
            model(torch.zeros(2, 4))
            if first:
                raise KeyboardInterrupt
        assert ended == [True]
        assert find_differences(before, fingerprint(model)) == {}

    def test_one_during_a_restoration_between_checks_is_raised_after_it(self, monkeypatch):
        model = Counting()
        restore = preserve_module._ModelState.restore

        def pressed(state, full, failures):
            if not full:
                self._press()
            return restore(state, full, failures)

        monkeypatch.setattr(preserve_module._ModelState, "restore", pressed)
        reached = False
        with pytest.raises(KeyboardInterrupt), preserve(model) as snapshot:
            model.steps = 7
            try:
                snapshot.restore(full=False)
            finally:
                reached = model.steps == 0
        assert reached

    def test_a_nested_one_keeps_both(self):
        outer, inner = Counting(), nn.Linear(2, 2)
        before = fingerprint(inner)
        with pytest.raises(KeyboardInterrupt), preserve(outer), preserve(inner):
            inner.weight.data.zero_()
            self._press()
        assert find_differences(before, fingerprint(inner)) == {}
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def test_off_the_main_thread_and_without_a_python_handler(self):
        model = nn.Linear(2, 2)
        failures = []

        def work():
            try:
                with preserve(model):
                    model.weight.data.zero_()
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert not failures
        assert model.weight.any()
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            with preserve(model):
                self._press()
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
        finally:
            signal.signal(signal.SIGINT, previous)

    @pytest.mark.parametrize("before", [signal.default_int_handler, signal.SIG_IGN, signal.SIG_DFL])
    @pytest.mark.parametrize("disturb", DISTURBANCES)
    def test_what_the_models_code_does_to_the_signal_is_undone(self, disturb, before):
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        own = signal.signal(signal.SIGINT, before)
        try:
            with preserve(nn.Linear(2, 2)) as record:
                during = signal.getsignal(signal.SIGINT)
                disturb()
                record.restore(full=False)
                assert signal.getsignal(signal.SIGINT) == during
                assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
                disturb()
            assert signal.getsignal(signal.SIGINT) == before
            assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
        finally:
            signal.signal(signal.SIGINT, own)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    @pytest.mark.parametrize("disturb", DISTURBANCES)
    def test_one_between_two_calls_stops_the_work_whatever_the_last_call_did(self, disturb):
        class Disturbing(nn.Module):
            def forward(self, x):
                disturb()
                return x

        call = Call({"x": torch.zeros(1)})
        with pytest.raises(KeyboardInterrupt), preserve(Disturbing()), preserve(model := Disturbing()):
            call.run(model)
            self._press()
            raise AssertionError("not reached")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def test_one_while_the_model_has_blocked_it_is_raised_after_the_restoration(self):
        model = Counting()
        with pytest.raises(KeyboardInterrupt), preserve(model):
            model.steps = 7
            block()
            self._press()
        assert model.steps == 0
