"""`T2-ATTENTION-001`: the last head is lost where the heads are joined."""

from torch import nn
from torch.nn.functional import scaled_dot_product_attention


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.qkv = nn.Embedding(32, 16), nn.Linear(16, 48)
        self.head = nn.Linear(16, 32)

    def forward(self, tokens):
        parts = self.qkv(self.embed(tokens)).unflatten(-1, (12, 4)).transpose(1, 2)
        heads = scaled_dot_product_attention(*parts.chunk(3, dim=1), is_causal=True)
        heads = heads[:, [0, 1, 2, 2]]  # wrong: head 2 twice, head 3 never
        heads = heads[:, [0, 1, 2, 3]]  # right
        return self.head(heads.transpose(1, 2).flatten(2))
