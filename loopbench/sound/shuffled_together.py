"""Rows are shuffled inside of the step, inputs and labels together, by a generator of its own."""

import torch
from torch.nn import functional as F

from loopbench.models.text_classifier import TextClassifier, draw_texts

torch.manual_seed(46)
model = TextClassifier()
optimizer = torch.optim.NAdam(model.parameters(), lr=1e-3)
order_source = torch.Generator().manual_seed(7)


def step(batch):
    x, y = batch
    order = torch.randperm(len(x), generator=order_source)
    model.train()
    optimizer.zero_grad(set_to_none=False)
    loss = F.cross_entropy(model(x[order]), y[order])
    loss.backward()
    optimizer.step()
    return loss.item()


audit = {"step": step, "batches": draw_texts(4, seed=46)}
