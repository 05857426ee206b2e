"""T1-REG-014: a value that was assigned to an attribute of a parameter."""

from __future__ import annotations

import torch
from torch import nn

from checks.planting import find, run_check
from tierproof.checks.tier1.registration.registration import CHECK
from zoo.handwritten import build


def run(model):
    return run_check(CHECK, model)


def has_finding(model):
    return any(f.code == "T1-REG-014" for f in run(model).findings)


def test_a_value_beside_the_parameter():
    model = build("seq2seq")
    model.positions.weight = torch.randn(64, 32)
    finding = find(run(model), "T1-REG-014")
    assert (finding.where, finding.evidence["parameter"]) == ("", "positions")
    model = build("mlp")
    name, parameter = next(iter(model.named_parameters()))
    parameter.values_to_use = nn.Parameter(torch.ones_like(parameter))
    assert find(run(model), "T1-REG-014").where == name.rpartition(".")[0]


def test_what_training_keeps_at_a_parameter():
    model = build("seq2seq")
    model.positions.main_grad = torch.randn(64, 32)
    model.positions.mean = torch.zeros(())
    model.positions.initial = model.positions.detach().clone()
    assert not has_finding(model)


class Scaled(nn.Module):
    """Reads a scale that it keeps at its parameter."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(20, 6)
        self.matrix = nn.Parameter(torch.randn(6, 6))
        self.matrix.scale = torch.rand(6, 6)

    def forward(self, tokens):
        return self.words(tokens) @ (self.matrix * self.matrix.scale)


def test_what_the_forward_reads():
    torch.manual_seed(0)
    assert not has_finding(Scaled())
