"""T1-LOSS: scalars and results of autograd Functions that training computes and drops."""

from __future__ import annotations

import torch
from torch import nn

from checks.planting import alarms, build_gpt, find, run_check
from tierproof.checks.tier1.loss.loss import CHECK
from zoo.handwritten import CharGPT


class Scaled(torch.autograd.Function):
    """Hands its input on, and doubles its gradient."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


class Penalised(nn.Module):
    """A layer around another, which handles the size of its activations in a way of `handle`."""

    def __init__(self, inner, handle):
        super().__init__()
        self.inner, self.handle = inner, handle
        self.kept = []

    def forward(self, x):
        y = self.inner(x)
        return self.handle(self, y) if self.training else y


def plant(handle):
    model = build_gpt()
    model.blocks[1].mlp = Penalised(model.blocks[1].mlp, handle)
    return run_check(CHECK, model)


def drop_penalty(layer, y):
    layer_size = 0.1 * y.square().mean()
    del layer_size
    return y


def drop_function(layer, y):
    Scaled.apply(y)
    return y


def keep_penalty(layer, y):
    layer.kept.append(y.square().mean())
    return y


def log_penalty(layer, y):
    layer.kept.append(y.square().mean().item())
    return y


def compare(layer, y):
    return y.clamp(max=10.0) if y.abs().max() > 10.0 else y


def use_function(layer, y):
    return Scaled.apply(y)


def use_scalar(layer, y):
    return y / y.square().mean().add(1.0).sqrt()


def test_a_dropped_penalty_is_found_where_it_is_computed():
    finding = find(plant(drop_penalty), "T1-LOSS-008")
    assert finding.where == "blocks.1.mlp"
    assert finding.evidence["count"] == 1


def test_a_dropped_function_is_found_by_name():
    finding = find(plant(drop_function), "T1-LOSS-009")
    assert finding.where == "blocks.1.mlp"
    assert "Scaled.apply" in finding.message


def test_what_is_kept_read_or_used_is_left_alone():
    for handle in (keep_penalty, log_penalty, compare, use_function, use_scalar):
        assert alarms(plant(handle)) == [], handle.__name__


class WithBalance(CharGPT):
    """Adds a penalty of its blocks to the loss where it is given targets."""

    def forward(self, idx, targets=None):
        logits = super().forward(idx)
        penalty = logits.square().mean()
        if targets is None:
            return logits
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        return logits, loss + 0.01 * penalty


def test_a_penalty_that_only_training_with_targets_uses_is_left_alone():
    assert [f.code for f in alarms(run_check(CHECK, build_gpt(WithBalance)))] == []


def test_functions_are_put_back():
    before = torch.autograd.Function.__dict__["apply"]
    plant(drop_function)
    assert torch.autograd.Function.__dict__["apply"] is before
