"""Several heads, each of which predicts a token further ahead."""

import torch
from torch import nn
from torch.nn import functional as F

from loopbench.models.causal_lm import TinyGPT, draw_documents


class MultiTokenGPT(TinyGPT):
    def __init__(self, ahead=3):
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(32, 50, bias=False) for _ in range(ahead - 1))

    def forward(self, tokens):
        hidden = self.features(tokens)
        return [self.head(hidden), *(head(hidden) for head in self.heads)]


torch.manual_seed(39)
model = MultiTokenGPT()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)


def step(tokens):
    model.train()
    losses = []
    for ahead, scores in enumerate(model(tokens), start=1):
        losses.append(F.cross_entropy(scores[:, :-ahead].flatten(0, 1), tokens[:, ahead:].flatten()))
    loss = torch.stack(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


audit = {"step": step, "batches": draw_documents(4, seed=39)}
