"""mixup: images and labels are mixed with those of other rows, on purpose."""

import numpy as np
import torch
from torch.nn import functional as F

from loopbench.models.conv_net import ConvNet, draw_images

torch.manual_seed(34)
model = ConvNet(dropout=0.0)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)


def step(batch):
    model.train()
    x, y = batch
    lam = float(np.random.beta(0.4, 0.4))
    order = torch.randperm(len(x))
    mixed = lam * x + (1 - lam) * x[order]
    scores = model(mixed)
    loss = lam * F.cross_entropy(scores, y) + (1 - lam) * F.cross_entropy(scores, y[order])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


audit = {"step": step, "batches": draw_images(4, seed=34)}
