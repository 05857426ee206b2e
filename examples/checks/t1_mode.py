"""`T1-MODE-001`: one pass in evaluation mode switches dropout off for good."""

from torch import nn
from torch.nn import functional as F


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head, self.rate = nn.Embedding(32, 16), nn.Linear(16, 32), 0.2

    def forward(self, ids):
        rate = self.rate if self.training else 0.0
        self.rate = rate  # wrong: stores what holds in this mode only
        return self.head(F.dropout(self.embed(ids), rate, training=True))
