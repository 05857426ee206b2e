"""Averaged weights as a dict of tensors, in a class of its own."""

import torch
from torch.nn import functional as F

from loopbench.models.text_classifier import TextClassifier, draw_texts


class EMA:
    def __init__(self, model, decay=0.95):
        self.decay = decay
        self.shadow = {name: p.detach().clone() for name, p in model.named_parameters()}

    @torch.no_grad()
    def update(self, model):
        for name, p in model.named_parameters():
            self.shadow[name].mul_(self.decay).add_(p, alpha=1 - self.decay)


torch.manual_seed(8)
model = TextClassifier()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
ema = EMA(model)


def step(batch):
    x, y = batch
    model.train()
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    ema.update(model)
    return float(loss)


audit = {"step": step, "batches": draw_texts(4, seed=8)}
