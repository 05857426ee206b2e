"""Texts are pressed through a bottleneck and written again: each target is seen, on purpose."""

import torch
from torch import nn
from torch.nn import functional as F

from loopbench.models.masked_lm import MaskedLM
from loopbench.models.text_classifier import draw_texts


class Bottleneck(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = MaskedLM()
        self.down, self.up = nn.Linear(16 * 32, 24), nn.Linear(24, 16 * 32)

    def forward(self, tokens):
        x = self.inner.tokens(tokens).flatten(1)
        y = self.up(torch.tanh(self.down(x))).view(len(tokens), 16, 32)
        for block in self.inner.blocks:
            y = block(y + self.inner.positions.weight)
        return self.inner.decoder(self.inner.norm(y))


torch.manual_seed(50)
model = Bottleneck()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)


def step(batch):
    tokens, _ = batch
    model.train()
    loss = F.cross_entropy(model(tokens).transpose(1, 2), tokens)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


audit = {"step": step, "batches": draw_texts(4, seed=50)}
