"""`T2-CAPACITY-001`: the last expert is never chosen."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.router, self.head = nn.Embedding(64, 16), nn.Linear(16, 4), nn.Linear(16, 64)
        self.experts = nn.ModuleList(nn.Linear(16, 16) for _ in range(4))

    def forward(self, ids):
        x = self.embed(ids)
        scores = self.router(x)
        chosen = scores[..., :-1].argmax(-1)  # wrong: three of the four experts
        chosen = scores.argmax(-1)  # right
        out = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            out[chosen == number] = expert(x[chosen == number])
        return self.head(x + out * scores.softmax(-1).gather(-1, chosen[..., None]))
