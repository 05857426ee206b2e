"""A check that is interrupted leaves the model as it came."""
# ruff: noqa: PT012 - what is raised must be raised inside the context

from __future__ import annotations

import os
import signal
import threading

import pytest
import torch
from torch import nn

from tierproof.model.preserve import preserve as preserve_module
from tierproof.model.preserve.preserve import preserve
from zoo.fingerprint import find_differences, fingerprint
from zoo.nasty import Counting


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

    def test_a_handler_set_meanwhile_is_not_overwritten(self):
        before = signal.getsignal(signal.SIGINT)
        try:
            with preserve(nn.Linear(2, 2)):
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
        finally:
            signal.signal(signal.SIGINT, before)
