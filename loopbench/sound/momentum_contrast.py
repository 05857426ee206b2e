"""In MoCo's manner: a key encoder that follows, and a queue of keys."""

import copy

import torch
from torch.nn import functional as F

from loopbench.models.conv_net import ConvNet, draw_images

torch.manual_seed(54)
query = ConvNet(classes=16, dropout=0.0)
key = copy.deepcopy(query)
key.requires_grad_(False)
optimizer = torch.optim.SGD(query.parameters(), lr=0.03, momentum=0.9)
key.register_buffer("queue", F.normalize(torch.randn(24, 16)))


def step(batch):
    images, _ = batch
    query.train()
    q = F.normalize(query(images + 0.1 * torch.randn_like(images)))
    with torch.no_grad():
        k = F.normalize(key(images + 0.1 * torch.randn_like(images)))
    positive = (q * k).sum(1, keepdim=True)
    negative = q @ key.queue.clone().T
    loss = F.cross_entropy(torch.cat([positive, negative], 1) / 0.2, torch.zeros(len(q), dtype=torch.long))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for theirs, ours in zip(query.parameters(), key.parameters()):
            ours.mul_(0.99).add_(theirs, alpha=0.01)
    key.queue = torch.cat([key.queue[8:], k])
    return loss.item()


audit = {"step": step, "batches": draw_images(4, seed=54)}
