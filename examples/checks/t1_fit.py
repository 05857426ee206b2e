"""`T1-FIT-001`: the answer is scaled away, so that not even one small batch can be learnt."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(32, 64)
        self.head = nn.Linear(64, 32)

    def forward(self, tokens):
        logits = self.head(self.embed(tokens))
        return 0.1 * torch.tanh(logits)  # wrong: never more than 0.1 apart from zero
        return logits  # right
