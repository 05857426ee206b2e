"""Adam with a closure."""

import torch
from torch.nn import functional as F

from loopbench.models.text_classifier import TextClassifier, draw_texts

torch.manual_seed(30)
net = TextClassifier()
adam = torch.optim.Adam(net.parameters(), lr=1e-3)


def step(batch):
    net.train()

    def closure():
        adam.zero_grad()
        loss = F.cross_entropy(net(batch[0]), batch[1])
        loss.backward()
        return loss

    return float(adam.step(closure))


audit = {"step": step, "batches": draw_texts(4, seed=30)}
