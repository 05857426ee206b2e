"""`T3-GROW-001`: losses are kept with their graphs, and with each step's activations."""

import torch
from torch import nn
from torch.nn import functional as F

model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
batches = [(torch.randn(6, 8), torch.randint(0, 3, (6,))) for _ in range(2)]
history = []


def step(batch):
    inputs, labels = batch
    optimizer.zero_grad()
    loss = F.cross_entropy(model(inputs), labels)
    loss.backward()
    optimizer.step()
    history.append(loss)  # wrong: keeps the graph of every step
    history.append(loss.item())  # right
    return loss.item()
