"""`T1-LIVE-001`: a list of losses keeps each step's tensors alive, so memory grows with every step."""

from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(32, 16), nn.Linear(16, 32)
        self.history = []

    def forward(self, tokens):
        logits = self.head(self.embed(tokens))
        self.history.append(logits.mean())  # wrong: keeps a tensor and its graph
        self.history.append(logits.mean().item())  # right
        return logits
