"""A fixed loss scale by hand, in float16, with master weights' gradients divided before clipping."""

import torch
from torch.nn import functional as F

from loopbench.models.text_classifier import TextClassifier, draw_texts

SCALE = 2.0**10

torch.manual_seed(4)
model = TextClassifier(dropout=0.0)
params = list(model.parameters())
optimizer = torch.optim.SGD(params, lr=0.1, momentum=0.9)


def step(batch):
    x, y = batch
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    (loss * SCALE).backward()
    for p in params:
        p.grad /= SCALE
    torch.nn.utils.clip_grad_norm_(params, 0.25)
    optimizer.step()
    return loss.item()


audit = {"step": step, "batches": draw_texts(4, seed=4)}
