"""A padding mask is judged by the input whose positions it hides, whatever it is called."""

from __future__ import annotations

import torch
from torch import nn

import tierproof as tp


class Reader(nn.Module):
    """Tokens that read each other, and a memory as long as they are; the mask hides positions of the memory."""

    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(40, 32), nn.Linear(32, 40)
        self.mix, self.read = (nn.MultiheadAttention(32, 4, batch_first=True) for _ in range(2))

    def forward(self, ids, memory, key_padding_mask=None):
        x = self.embed(ids)
        x = x + self.mix(x, x, x, need_weights=False)[0]
        read, _ = self.read(x, memory, memory, key_padding_mask=key_padding_mask, need_weights=False)
        return self.head(x + read)


def test_a_mask_of_the_second_input_hides_no_tokens():
    torch.manual_seed(0)
    report = tp.check(Reader(), only=["T1-PAD"], progress=False)
    assert not report.findings
    assert "`key_padding_mask` hides positions of `memory`" in report.results[0].reason
