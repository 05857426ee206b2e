"""The embedding is trained for two steps, and frozen then."""

import torch
from torch.nn import functional as F

from loopbench.models.text_classifier import TextClassifier, draw_texts

torch.manual_seed(44)
model = TextClassifier()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
steps_done = 0


def step(batch):
    global steps_done
    x, y = batch
    model.train()
    if steps_done == 2:
        model.tokens.requires_grad_(False)
        model.tokens.weight.grad = None
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    steps_done += 1
    return loss.item()


audit = {"step": step, "batches": draw_texts(4, seed=44)}
