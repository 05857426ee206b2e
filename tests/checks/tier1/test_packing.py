"""T1-PACK: documents in one row that read each other."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from checks.planting import alarms, find, run_check
from tierproof.checks.tier1.packing import CHECK
from zoo.handwritten import build


class Packed(nn.Module):
    """A convolution over time, or attention, that reads ids of documents in a way of its own."""

    def __init__(self, mixer, causal=True):
        super().__init__()
        self.words, self.out = nn.Embedding(30, 16), nn.Linear(16, 30)
        self.mixer, self.causal = mixer, causal

    def forward(self, tokens, seq_idx=None):
        x = self.words(tokens)
        ids = torch.zeros_like(tokens) if seq_idx is None else seq_idx
        return self.out(x + self.mixer(x, ids, self.causal))


class Attend(nn.Module):
    def __init__(self, separate):
        super().__init__()
        self.query, self.value, self.separate = nn.Linear(16, 16), nn.Linear(16, 16), separate

    def forward(self, x, ids, causal):
        seen = self.separate(ids)
        if causal:
            seen = seen & torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
        scores = self.query(x) @ x.mT / 4
        return scores.masked_fill(~seen, float("-inf")).softmax(-1) @ self.value(x)


class Neighbour(nn.Module):
    """Mixes each position with the one before it."""

    def __init__(self, resets):
        super().__init__()
        self.mix, self.resets = nn.Linear(16, 16), resets

    def forward(self, x, ids, causal):
        before = torch.cat((torch.zeros_like(x[:, :1]), x[:, :-1]), 1)
        if self.resets:
            fresh = torch.cat((ids[:, :1] * 0 + 1, (ids[:, 1:] != ids[:, :-1]).long()), 1)
            before = before * (1 - fresh)[..., None]
        return self.mix(before) + 0.1 * ids[..., None]


def same(ids):
    return ids[:, :, None] == ids[:, None, :]


def everything(ids):
    return torch.ones_like(same(ids))


def up_to_own(ids):
    return ids[:, :, None] >= ids[:, None, :]


def make(mixer, causal=True):
    torch.manual_seed(0)
    return Packed(mixer, causal)


def test_ids_that_are_never_read():
    assert find(run_check(CHECK, make(Attend(everything))), "T1-PACK-002").severity.value == "warning"


def test_documents_that_read_those_before_them():
    finding = find(run_check(CHECK, make(Attend(up_to_own), causal=False)), "T1-PACK-001")
    assert "the later document" in finding.message
    assert finding.where == "mixer"


def test_a_state_that_crosses_the_boundary():
    assert find(run_check(CHECK, make(Neighbour(False))), "T1-PACK-001").where == "mixer"


@pytest.mark.parametrize(
    "model", [make(Attend(same)), make(Attend(same), causal=False), make(Neighbour(True))]
)
def test_documents_that_are_kept_apart(model):
    output = run_check(CHECK, model)
    assert (output.skipped, alarms(output)) == ("", [])


def test_models_without_documents_are_skipped():
    assert "no input says which document" in run_check(CHECK, build("char_gpt")).skipped
