"""`T1-EXPORT-001`: a branch that only export takes leaves out the norm, so the exported program differs."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.norm = nn.Embedding(32, 16), nn.LayerNorm(16)
        self.head = nn.Linear(16, 32)

    def forward(self, tokens):
        x = self.embed(tokens)
        if not torch.compiler.is_exporting():  # wrong: export skips the norm
            x = self.norm(x)  # wrong
        x = self.norm(x)  # right
        return self.head(x)
