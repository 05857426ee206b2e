"""T1-REG-015: one part in all blocks of a stack whose other layers are their own; T1-REG-003: tensors that only pick."""

from __future__ import annotations

import types

import pytest
import torch
from torch import nn

import tierproof as tp
from checks.planting import build_gpt


def codes(model, **options):
    report = tp.check(model, only=["T1-REG"], progress=False, **options)
    return {f.code for r in report.results for f in r.findings if f.severity.value != "info"}


def share_the_mlp(model):
    for block in model.blocks:
        block.mlp = model.blocks[0].mlp
    return model


def share_by_name(model):
    shared = nn.Linear(32, 32)
    for block in model.blocks:
        block.shared = shared
    return model


def test_a_part_that_all_blocks_hold():
    assert codes(share_the_mlp(build_gpt())) == {"T1-REG-015"}
    assert codes(build_gpt()) == set()
    assert codes(share_by_name(build_gpt())) == set(), "its name says that it is shared"


class Biased(nn.Module):
    """Looks up a bias for each pair of positions by a plain tensor of indices, or adds that tensor."""

    def __init__(self, *, adds):
        super().__init__()
        self.layer, self.table, self.adds = nn.Linear(8, 8), nn.Parameter(torch.randn(15)), adds
        self.index = torch.arange(8) + 3

    def forward(self, x):
        bias = self.table[self.index.view(2, 4)].flatten()
        return self.layer(x) + bias + (self.index if self.adds else 0)


@pytest.mark.parametrize(("adds", "found"), [(True, {"T1-REG-003"}), (False, set())])
def test_an_index_works_from_the_cpu(adds, found):
    torch.manual_seed(0)
    assert codes(Biased(adds=adds), inputs=torch.randn(4, 8)) == found


class Cached(nn.Module):
    """Keeps a grid that its forward makes."""

    def __init__(self):
        super().__init__()
        self.layer, self.grid = nn.Linear(8, 8), None

    def forward(self, x):
        if self.grid is None:
            self.grid = torch.linspace(0, 1, 8)
        return self.layer(x) + self.grid


def test_what_our_own_run_left_behind_is_no_state_of_the_model():
    torch.manual_seed(0)
    assert codes(Cached(), inputs=torch.randn(4, 8)) == set()


@pytest.mark.parametrize(("tied", "found"), [(True, set()), (False, {"T1-REG-007"})])
def test_a_tie_of_the_config_beside_layers_as_wide_as_the_vocabulary(tied, found):
    model = build_gpt(vocab=128)
    assert model.blocks[0].mlp[0].out_features == 128
    model.config = types.SimpleNamespace(vocab_size=128, tie_word_embeddings=True)
    if tied:
        model.head.weight = model.token.weight
    assert codes(model) == found
