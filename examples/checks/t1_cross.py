"""`T1-CROSS-001`: the cross-attention reads the decoder's own states, so the source has no effect."""

from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.source, self.target = nn.Embedding(32, 16), nn.Embedding(32, 16)
        self.encoder = nn.Linear(16, 16)
        self.cross = nn.MultiheadAttention(16, 2, batch_first=True)
        self.head = nn.Linear(16, 32)

    def forward(self, src, tgt):
        memory, x = self.encoder(self.source(src)), self.target(tgt)
        memory = x  # wrong: drops the encoder's states
        return self.head(x + self.cross(x, memory, memory, need_weights=False)[0])
