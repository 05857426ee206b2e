"""`T2-ATTRIBUTION-002`: the pooling weights are zero everywhere, so every text gets the same answer."""

from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(32, 16)
        self.head = nn.Linear(16, 3)

    def forward(self, tokens):
        x = self.embed(tokens)
        weights = (tokens < 0).float()  # wrong: no token is negative
        weights = (tokens >= 0).float()  # right
        pooled = (weights[..., None] * x).sum(1) / weights.sum(1, keepdim=True).clamp(min=1)
        return self.head(pooled)
