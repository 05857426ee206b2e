"""`T3-ACCUM-001`: the losses of four micro-batches are added and not averaged: each step is four times too large."""

import torch
from torch import nn
from torch.nn import functional as F

model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
batches = [(torch.randn(8, 8), torch.randint(0, 3, (8,))) for _ in range(2)]


def step(batch):
    optimizer.zero_grad()
    total = 0.0
    for inputs, labels in zip(batch[0].chunk(4), batch[1].chunk(4), strict=True):
        loss = F.cross_entropy(model(inputs), labels)  # wrong: the mean of two rows, four times
        loss = F.cross_entropy(model(inputs), labels) / 4  # right
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total
