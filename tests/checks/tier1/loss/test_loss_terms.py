"""T1-LOSS-014 and 015: by how many labels a loss divides, and whether it sums those of padding."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from checks.planting import alarms, find, run_check
from faults.masks import Encoder
from tierproof.checks.tier1.loss.loss import CHECK


class Trained(Encoder):
    """A causal model that computes its own loss from shifted labels."""

    def __init__(self, *, count_all=False, mask_labels=True, keep_divisor=False):
        super().__init__()
        self.out = torch.nn.Linear(32, 40)
        self.count_all, self.mask_labels, self.keep_divisor = count_all, mask_labels, keep_divisor

    def forward(self, input_ids, attention_mask=None, labels=None):
        length = input_ids.shape[1]
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        x = self.embed(input_ids) + self.position((mask.long().cumsum(1) - 1).clamp(min=0))
        shown = torch.ones(length, length, dtype=torch.bool).tril()[None] & mask.bool()[:, None]
        scores = (x @ x.transpose(1, 2)).masked_fill(~shown, torch.finfo(torch.float32).min)
        logits = self.out(x + scores.softmax(-1) @ x)
        return (logits, None) if labels is None else (logits, self.measure(logits, labels, mask))

    def measure(self, logits, labels, mask):
        if self.mask_labels:
            labels = labels.masked_fill(mask == 0, -100)
        shifted = labels[:, 1:]
        total = F.cross_entropy(logits[:, :-1].flatten(0, 1), shifted.flatten(), reduction="sum")
        if self.keep_divisor:
            return total / shifted.numel()
        return total / ((labels if self.count_all else shifted) != -100).sum()


def run(**options):
    torch.manual_seed(0)
    return run_check(CHECK, Trained(**options))


def test_a_mean_that_counts_the_labels_before_the_shift():
    evidence = find(run(count_all=True), "T1-LOSS-014").evidence
    assert evidence["divided_by"] - evidence["summed_labels"] == 2, "one for each row"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mask_labels": False}, "trains on padding"),
        ({"keep_divisor": True}, "also counts the ignored positions"),
    ],
)
def test_labels_of_padding_that_count(options, words):
    codes = {"trains on padding": "T1-LOSS-015", "also counts the ignored positions": "T1-LOSS-013"}
    assert words in find(run(**options), codes[words]).message


def test_a_mean_over_visible_labels_is_left_alone():
    assert alarms(run()) == []
