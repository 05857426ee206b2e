"""Scores of two passes are made alike (R-Drop): dropout is wanted twice."""

import torch
from torch.nn import functional as F

from loopbench.models.text_classifier import TextClassifier, draw_texts

torch.manual_seed(57)
model = TextClassifier(dropout=0.2)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)


def step(batch):
    x, y = batch
    model.train()
    p, q = model(x), model(x)
    both = (F.cross_entropy(p, y) + F.cross_entropy(q, y)) / 2
    p_log, q_log = F.log_softmax(p, -1), F.log_softmax(q, -1)
    alike = F.kl_div(p_log, q_log, log_target=True, reduction="batchmean")
    alike = alike + F.kl_div(q_log, p_log, log_target=True, reduction="batchmean")
    loss = both + 0.5 * alike
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


audit = {"step": step, "batches": draw_texts(4, seed=57)}
