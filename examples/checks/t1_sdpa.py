"""`T1-SDPA-002`: the activation is replaced after construction, and the fused path keeps the old one."""

import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(32, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)  # wrong: notes relu
        layer.activation = F.gelu  # wrong: the fused path does not see this
        layer = nn.TransformerEncoderLayer(16, 2, 32, activation="gelu", batch_first=True)  # right
        self.layer, self.head = layer, nn.Linear(16, 32)

    def forward(self, tokens):
        return self.head(self.layer(self.embed(tokens)))
