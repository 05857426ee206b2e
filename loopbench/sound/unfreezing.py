"""The blocks are frozen for the first steps, and trained from then on."""

import torch
from torch.nn import functional as F

from loopbench.models.text_classifier import TextClassifier, draw_texts

torch.manual_seed(43)
model = TextClassifier()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
progress = {"steps": 0}


def step(batch):
    x, y = batch
    model.train()
    model.blocks.requires_grad_(progress["steps"] >= 2)
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    progress["steps"] += 1
    return loss.item()


audit = {"step": step, "batches": draw_texts(4, seed=43)}
