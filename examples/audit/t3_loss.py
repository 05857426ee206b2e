"""`T3-LOSS-001`: a running mean is returned, which goes on falling while the minimised loss has long stopped."""

import torch
from torch import nn
from torch.nn import functional as F

model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
batches = [(torch.randn(6, 8), torch.randint(0, 3, (6,))) for _ in range(4)]
mean = [10.0]  # wrong: a running mean


def step(batch):
    inputs, labels = batch
    optimizer.zero_grad()
    loss = F.cross_entropy(model(inputs), labels)
    loss.backward()
    optimizer.step()
    mean[0] = 0.9 * mean[0] + 0.1 * loss.item()  # wrong: a running mean
    return mean[0]  # wrong: a running mean
    return loss.item()  # right
