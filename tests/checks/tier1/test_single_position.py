"""T1-CAUSAL-003: a causal model answers a single position as it answers the first of many."""

from __future__ import annotations

import torch

from checks.planting import alarms, build_gpt, find, run_check
from tierproof.checks.tier1.causality import CHECK
from zoo.handwritten import CharGPT, build


class Unplaced(CharGPT):
    """Adds no position where a single token comes in, as if it came from a cache."""

    def forward(self, idx):
        x = self.token(idx)
        if idx.size(1) != 1:
            x = x + self.position(torch.arange(idx.size(1), device=idx.device))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def test_a_single_token_without_a_position():
    finding = find(run_check(CHECK, build_gpt(Unplaced)), "T1-CAUSAL-003")
    assert finding.evidence["shorter_length"] == 1
    assert "first output changes" in finding.message


def test_a_sound_model():
    assert alarms(run_check(CHECK, build("char_gpt"))) == []
