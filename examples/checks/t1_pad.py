"""`T1-PAD-001`: the mean counts padded positions, so the length of the padding changes the output."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(32, 16), nn.Linear(16, 4)

    def forward(self, input_ids, attention_mask=None):
        x = self.embed(input_ids)
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        pooled = x.mean(1)  # wrong: padded positions count
        mask = mask.unsqueeze(-1).to(x.dtype)  # right
        pooled = (x * mask).sum(1) / mask.sum(1).clamp(min=1)  # right
        return self.head(pooled)
