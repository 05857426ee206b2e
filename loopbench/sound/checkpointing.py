"""Gradient checkpointing, with dropout inside of what is run twice."""

import torch
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from loopbench.models.causal_lm import TinyGPT, draw_documents


class CheckpointedGPT(TinyGPT):
    def features(self, tokens):
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False)
        return self.norm(x)


torch.manual_seed(32)
model = CheckpointedGPT()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)


def step(tokens):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(tokens[:, :-1]).transpose(1, 2), tokens[:, 1:])
    loss.backward()
    optimizer.step()
    return loss.item()


audit = {"step": step, "batches": draw_documents(4, seed=32)}
