"""`T3-EMA-002`: the average follows the parameters, and keeps the statistics of batch norm that it began with."""

import copy

import torch
from torch import nn
from torch.nn import functional as F

model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Linear(16, 3))
optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
ema = copy.deepcopy(model)
batches = [(torch.randn(6, 8), torch.randint(0, 3, (6,))) for _ in range(2)]


def step(batch):
    inputs, labels = batch
    optimizer.zero_grad()
    loss = F.cross_entropy(model(inputs), labels)
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for average, weight in zip(ema.parameters(), model.parameters(), strict=True):
            average.lerp_(weight, 0.1)
        for average, value in zip(ema.buffers(), model.buffers(), strict=True):  # right
            average.copy_(value)  # right
    return loss.item()
