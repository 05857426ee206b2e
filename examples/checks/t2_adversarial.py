"""`T2-ADVERSARIAL-003`: a sign has a gradient of zero, so no gradient leads a search (or trains the embedding)."""

from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(32, 16), nn.Linear(16, 4)

    def forward(self, ids):
        x = self.embed(ids)
        x = x.sign()  # wrong: flat everywhere
        x = x.tanh()  # right: nearly a sign, with a slope
        return self.head(x.mean(1))
