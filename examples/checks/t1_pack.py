"""`T1-PACK-001`: positions start again at each document, but the sum runs on across the boundary."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(32, 16), nn.Linear(16, 32)
        self.positions = nn.Embedding(64, 16)

    def forward(self, tokens, document_ids=None):
        ids = torch.zeros_like(tokens) if document_ids is None else document_ids
        before = (
            torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool).tril().expand(len(tokens), -1, -1)
        )
        same = (ids[:, :, None] == ids[:, None, :]) & before
        x = self.embed(tokens) + self.positions(same.sum(-1) - 1)
        seen = before.float()  # wrong: reads the documents before, too
        seen = same.float()  # right
        return self.head(torch.tanh(seen @ x / seen.sum(-1, keepdim=True)))
