"""The first steps of training free what waits for zeros, and nothing else."""

from __future__ import annotations

import torch
from torch import nn

from tierproof.model.describe.prepare_subject import prepare_subject
from tierproof.model.gradients.first_steps import take_first_steps


class Gated(nn.Module):
    def __init__(self, gate):
        super().__init__()
        self.before, self.after, self.gate = nn.Linear(4, 4), nn.Linear(4, 3), gate

    def forward(self, x):
        return self.after(self.gate * self.before(x))


def moved(gate):
    torch.manual_seed(0)
    model = Gated(gate)
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    subject = prepare_subject(model, inputs=torch.randn(5, 4))
    steps = take_first_steps(subject, subject.make_call(seed=0), 0)
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())
    return steps.moved


def test_a_gain_of_zero_frees_the_layer_before_it():
    assert "before.weight" in moved(nn.Parameter(torch.zeros(4)))


def test_a_constant_of_zero_never_does():
    assert "before.weight" not in moved(0.0)
