"""Gradient descent by hand, without an optimizer."""

import torch
from torch.nn import functional as F

from loopbench.models.text_classifier import TextClassifier, draw_texts

torch.manual_seed(42)
model = TextClassifier()


def step(batch):
    x, y = batch
    loss = F.cross_entropy(model(x), y)
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.05 * p.grad
    return loss.item()


audit = {"step": step, "batches": draw_texts(4, seed=42)}
