"""T1-PART: norms and layers that nothing trains, and models like them in which that is meant."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from checks.planting import alarms, build_gpt, find, replace_block_forward, run_check
from tierproof.checks.tier1.trained_parts.trained_parts import CHECK


class Stack(nn.Module):
    """A stack of layers with a norm behind it."""

    def __init__(self, *, norm=True):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True) for _ in range(2)
        )
        self.norm, self.use_norm = nn.LayerNorm(32), norm

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.norm(x) if self.use_norm else x


class TwoStacks(nn.Module):
    """Two stacks of one class over the same tokens."""

    def __init__(self, *, norms=(True, True)):
        super().__init__()
        self.words, self.head = nn.Embedding(40, 32), nn.Linear(32, 40)
        self.first, self.second = (Stack(norm=norm) for norm in norms)

    def forward(self, ids):
        return self.head(self.second(self.first(self.words(ids))))


def build(change=None, **options):
    torch.manual_seed(0)
    model = TwoStacks(**options)
    if change is not None:
        change(model)
    return model


def freeze_first(model):
    model.first.requires_grad_(False)


def freeze_trained(model):
    with torch.no_grad():
        for parameter in model.first.parameters():
            parameter.add_(0.01 * torch.randn(parameter.shape))
    freeze_first(model)


def freeze_copy(model):
    model.first.load_state_dict(copy.deepcopy(model.second.state_dict()))
    freeze_first(model)


def freeze_all_but_the_head(model):
    model.requires_grad_(False)
    model.head.requires_grad_(True)


def test_a_norm_that_a_sibling_uses():
    found = find(run_check(CHECK, build(norms=(True, False))), "T1-PART-003")
    assert found.where == "second.norm"
    assert alarms(run_check(CHECK, build())) == []
    assert alarms(run_check(CHECK, build(norms=(False, False)))) == [], "both leave it out"


def test_fresh_layers_that_are_frozen():
    assert find(run_check(CHECK, build(freeze_first)), "T1-PART-005").where == "first"


@pytest.mark.parametrize("change", [freeze_trained, freeze_copy, freeze_all_but_the_head])
def test_frozen_layers_that_are_meant(change):
    assert alarms(run_check(CHECK, build(change))) == []


def test_a_block_that_leaves_out_what_its_siblings_use():
    def skip_the_norm(self, x):
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(x)

    bare = replace_block_forward(build_gpt(layers=4), 1, skip_the_norm)
    assert find(run_check(CHECK, bare), "T1-PART-003").where == "blocks.1.ln2"
    last = replace_block_forward(build_gpt(layers=4), 3, skip_the_norm)
    assert alarms(run_check(CHECK, last)) == [], "the last block may have no successor to serve"
