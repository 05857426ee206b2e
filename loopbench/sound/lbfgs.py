"""LBFGS with a closure that is called several times in a step."""

import torch
from torch.nn import functional as F

from loopbench.models.text_classifier import TextClassifier, draw_texts

torch.manual_seed(29)
model = TextClassifier(dropout=0.0)
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=4, history_size=5)


def step(batch):
    x, y = batch
    model.train()

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss

    return optimizer.step(closure).item()


audit = {"step": step, "batches": draw_texts(3, seed=29)}
