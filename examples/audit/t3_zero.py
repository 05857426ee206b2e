"""`T3-ZERO-001`: gradients are never zeroed, so that those of all earlier steps are added."""

import torch
from torch import nn
from torch.nn import functional as F

model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
batches = [(torch.randn(6, 8), torch.randint(0, 3, (6,))) for _ in range(2)]


def step(batch):
    inputs, labels = batch
    optimizer.zero_grad()  # right
    loss = F.cross_entropy(model(inputs), labels)
    loss.backward()
    optimizer.step()
    return loss.item()
