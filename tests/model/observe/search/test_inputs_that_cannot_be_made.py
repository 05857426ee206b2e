"""What cannot be called is told in one message, with what was learnt, and no trial begins that would end too late."""

from __future__ import annotations

import itertools
import time

import pytest
import torch
from torch import nn

from tierproof.model.call.forward_error import ForwardError
from tierproof.model.describe.prepare_subject import prepare_subject
from tierproof.model.observe.search import input_trial
from tierproof.model.observe.search.search_clock import SearchClock


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 4)


class Simulated(Head):
    def forward(self, simulator):
        state = simulator.reset()
        return self.head(state)


class Listening(Head):
    def forward(self, connection, scale):
        return self.head(torch.frombuffer(connection.recv(32), dtype=torch.float32) * scale)


class Twenty(Head):
    def forward(self, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t):  # noqa: E741
        raise RuntimeError("no such inputs")


class Positional(Head):
    def forward(self, *args):
        first, second, third = args
        return self.head(first + second.lookup(third))


class Keywords(Head):
    def forward(self, **kwargs):
        return self.head(kwargs["observations"] + kwargs.get("shift", 0.0))


class KeywordsUnmade(Head):
    def forward(self, **kwargs):
        return self.head(kwargs["world"].observe())


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            Simulated,
            "cannot make up a value for `simulator` of Simulated: the forward pass reads its attribute `reset`",
        ),
        (
            Listening,
            "cannot make up a value for `connection` of Listening: the forward pass reads its attribute `recv`",
        ),
        (Twenty, "no such inputs"),
        (Positional, "not enough values to unpack (expected 3"),
        (
            KeywordsUnmade,
            "cannot make up a value for `world` of KeywordsUnmade: the forward pass reads its attribute `observe`",
        ),
    ],
)
def test_one_clear_message(kind, said):
    with pytest.raises(ForwardError) as caught:
        prepare_subject(kind())
    assert said in str(caught.value)
    assert "inputs=" in caught.value.hint or "Fix that line" in caught.value.hint
    assert len(str(caught.value)) < 4000


def test_keywords_alone_are_read_from_the_source():
    torch.manual_seed(0)
    assert prepare_subject(Keywords()).inputs.primary == "observations"


class Plain(Head):
    def forward(self, x):
        return self.head(x)


def test_a_slow_forward_is_told_at_its_first_pass(monkeypatch):
    clock = itertools.count(step=30.0)
    monkeypatch.setattr(input_trial.time, "perf_counter", lambda: float(next(clock)))
    with pytest.raises(ForwardError, match="one forward pass of Plain takes 30 s with x: float32"):
        prepare_subject(Plain())


def test_no_trial_begins_that_would_end_after_a_minute():
    clock = SearchClock()
    clock.note_trial(10.0)
    assert not clock.expired
    clock.note_trial(56.0)
    assert clock.expired


class Asleep(Head):
    def forward(self, x):
        time.sleep(30)
        return self.head(x)


@pytest.mark.slow
def test_a_forward_of_half_a_minute_ends_within_one():
    began = time.monotonic()
    with pytest.raises(ForwardError, match="one forward pass"):
        prepare_subject(Asleep())
    assert time.monotonic() - began < 60  # what is promised, of a clock that the model itself holds up
