"""Models of unusual kinds are judged or refused in a sentence: no check crashes on them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import tierproof as tp
from tierproof.model.call.forward_error import ForwardError


class Wrapped(nn.Module):
    """A layer whose result goes through a function."""

    def __init__(self, end, **buffers):
        super().__init__()
        self.layer, self.end = nn.Linear(8, 8), end
        for name, value in buffers.items():
            self.register_buffer(name, value)

    def forward(self, x):
        return self.end(self, self.layer(x))


def insist_on_float32(model, x):
    assert model.scale.dtype is torch.float32, "the scale must stay in float32"
    return x * model.scale


def two_heads(model, x):
    return (x, x.tanh()) if model.training else x + x.tanh()


class Mute(Exception):
    def __str__(self):
        raise ValueError("no message")


def raise_mute(model, x):
    raise Mute


def raise_mute_in_training(model, x):
    return raise_mute(model, x) if model.training else x


KINDS = {
    "asserts its dtype": lambda: Wrapped(insist_on_float32, scale=torch.ones(8)),
    "vmap inside": lambda: Wrapped(lambda m, x: torch.func.vmap(lambda row: m.layer(row).relu())(x)),
    "sparse output": lambda: Wrapped(lambda _, x: x.to_sparse()),
    "sparse buffer": lambda: Wrapped(lambda m, x: (m.links @ x.t()).t(), links=torch.eye(8).to_sparse()),
    "small floats": lambda: Wrapped(
        lambda m, x: x @ m.codes.to(x.dtype), codes=torch.randn(8, 8).to(torch.float8_e4m3fn)
    ),
    "two heads in training": lambda: Wrapped(two_heads),
    "scripted": lambda: torch.jit.script(nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))),
    "mute in training": lambda: Wrapped(raise_mute_in_training),
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_check_crashes_and_none_errs(kind):
    torch.manual_seed(0)
    report = tp.check(KINDS[kind](), inputs=torch.randn(4, 8), progress=False)
    assert [(r.code, r.reason) for r in report.results if r.outcome == "errored"] == []
    assert [f.message for r in report.results for f in r.errors] == []


def test_an_exception_without_a_message_is_told_by_its_class():
    with pytest.raises(ForwardError, match="Mute, whose own message cannot be shown"):
        tp.check(Wrapped(raise_mute), inputs=torch.randn(4, 8), progress=False)
