"""Sharpness-aware minimisation: a first pass finds the worst neighbour, a second one its gradient."""

import torch
from torch.nn import functional as F

from loopbench.models.text_classifier import TextClassifier, draw_texts

torch.manual_seed(41)
model = TextClassifier(dropout=0.0)
base = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)


def step(batch, rho=0.05):
    x, y = batch
    model.train()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    with torch.no_grad():
        norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
        moves = [p.grad * (rho / (norm + 1e-12)) for p in model.parameters()]
        for p, move in zip(model.parameters(), moves):
            p.add_(move)
    base.zero_grad()
    F.cross_entropy(model(x), y).backward()
    with torch.no_grad():
        for p, move in zip(model.parameters(), moves):
            p.sub_(move)
    base.step()
    base.zero_grad()
    return loss.item()


audit = {"step": step, "batches": draw_texts(4, seed=41)}
