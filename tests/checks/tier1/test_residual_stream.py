"""T1-SKIP: blocks that drop their input or add themselves twice, and sound ones that look like them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from checks.planting import alarms, build_gpt, find, replace_block_forward, run_check
from tierproof.checks.tier1.residual_stream import CHECK
from zoo.handwritten import CharGPT


def drop_the_input(self, x):
    x = x + self.attn(self.ln1(x))
    return self.mlp(self.ln2(x))


def mix_in_parallel(self, x):
    return x + self.attn(self.ln1(x)) + self.mlp(self.ln2(x))


class Gated(CharGPT):
    """Every branch is scaled by a number that starts at zero (ReZero)."""

    def __init__(self):
        super().__init__()
        self.gates = nn.ParameterList(nn.Parameter(torch.zeros(1)) for _ in self.blocks)

    def forward(self, idx):
        x = self.token(idx) + self.position(torch.arange(idx.size(1)))
        for gate, block in zip(self.gates, self.blocks, strict=True):
            x = x + gate * (block.attn(block.ln1(x)) + block.mlp(block.ln2(x)))
        return self.head(self.norm(x))


def add_outside(self, idx):
    """The caller adds the input of blocks that return their branches."""
    x = self.token(idx) + self.position(torch.arange(idx.size(1)))
    for block in self.blocks:
        x = x + block(x)
    return self.head(self.norm(x))


def test_a_block_that_drops_its_input():
    model = replace_block_forward(build_gpt(), 1, drop_the_input)
    assert find(run_check(CHECK, model), "T1-SKIP-001").where == "blocks.1"


def build_with_the_input_added_outside():
    model = build_gpt(type("Outside", (CharGPT,), {"forward": add_outside}))
    for index in range(len(model.blocks)):
        replace_block_forward(model, index, lambda self, x: self.mlp(self.ln2(self.attn(self.ln1(x)))))
    return model


def build_in_parallel():
    model = build_gpt()
    for index in range(len(model.blocks)):
        replace_block_forward(model, index, mix_in_parallel)
    return model


@pytest.mark.parametrize(
    "build", [build_gpt, build_in_parallel, build_with_the_input_added_outside, lambda: build_gpt(Gated)]
)
def test_sound_streams_are_silent(build):
    assert alarms(run_check(CHECK, build())) == []
