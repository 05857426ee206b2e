"""`T1-SCALAR-001`: a mean over the tokens of an expert that got none."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.router, self.head = nn.Embedding(32, 16), nn.Linear(16, 4), nn.Linear(16, 32)

    def forward(self, ids):
        x = self.embed(ids)
        shares = self.router(x).softmax(-1)
        chosen = shares.argmax(-1)
        means = [shares[chosen == expert, expert].mean() for expert in range(4)]  # wrong: NaN without tokens
        means = [(shares[..., i] * (chosen == i)).sum() / chosen.numel() for i in range(4)]  # right: a sum
        return {
            "logits": self.head(x + x * shares.amax(-1, keepdim=True)),
            "balance": torch.stack(means).sum(),
        }
