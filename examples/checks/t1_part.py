"""`T1-PART-001`: the router is trained by the load balance alone."""

from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.router, self.head = nn.Embedding(32, 16), nn.Linear(16, 2), nn.Linear(16, 32)
        self.experts = nn.ModuleList(nn.Linear(16, 16) for _ in range(2))

    def forward(self, ids):
        x = self.embed(ids)
        shares = self.router(x).softmax(-1)
        balance = shares.mean((0, 1)).square().sum()
        shares = shares.detach()  # wrong: the answer gives the router no gradient
        mixed = sum(shares[..., i : i + 1] * expert(x) for i, expert in enumerate(self.experts))
        return {"logits": self.head(x + mixed), "balance_loss": balance}
