"""A row of nothing but one id is asked a second time beside others."""

from __future__ import annotations

import torch
from torch import nn

import tierproof as tp


class Masked(nn.Module):
    """Makes its mask from the ids, as a classifier does that pads with 0."""

    def __init__(self, *, broken=False):
        super().__init__()
        self.table, self.head = nn.Embedding(5000, 16, padding_idx=0), nn.Linear(16, 4)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        if broken:
            with torch.no_grad():
                self.table.weight[-1] = float("nan")

    def forward(self, ids):
        padding = ids == 0
        hidden = self.table(ids)
        hidden, _ = self.attention(hidden, hidden, hidden, key_padding_mask=padding, need_weights=False)
        return self.head(hidden.masked_fill(padding[..., None], 0).sum(1))


def found(model):
    report = tp.check(model.eval(), only=["T1-STAB"], progress=False)
    return {(f.code, f.severity.value) for r in report.results for f in r.findings}


def test_a_row_of_padding_alone_is_at_most_a_warning():
    torch.manual_seed(0)
    assert not {code for code, severity in found(Masked()) if severity == "error"}


def test_an_id_whose_row_is_unsound_stays_an_error():
    torch.manual_seed(0)
    assert ("T1-STAB-007", "error") in found(Masked(broken=True))
