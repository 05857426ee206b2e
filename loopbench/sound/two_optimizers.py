"""A sparse embedding with an optimizer of its own."""

import torch
from torch import nn
from torch.nn import functional as F

from loopbench.models.text_classifier import TextClassifier, draw_texts

torch.manual_seed(31)
model = TextClassifier()
model.tokens = nn.Embedding(40, 32, sparse=True)
dense = torch.optim.AdamW([p for n, p in model.named_parameters() if n != "tokens.weight"], lr=1e-3)
sparse = torch.optim.SparseAdam([model.tokens.weight], lr=1e-3)
schedulers = [torch.optim.lr_scheduler.ExponentialLR(each, 0.99) for each in (dense, sparse)]


def step(batch):
    model.train()
    x, y = batch
    loss = F.cross_entropy(model(x), y)
    for each in (dense, sparse):
        each.zero_grad()
    loss.backward()
    for each in (dense, sparse):
        each.step()
    for each in schedulers:
        each.step()
    return loss.item()


audit = {"step": step, "batches": draw_texts(4, seed=31)}
