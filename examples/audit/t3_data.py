"""`T3-DATA-001`: each step makes its own batch, and the model waits for it."""

import time

import torch
from torch import nn
from torch.nn import functional as F

model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
batches = [(torch.randn(6, 8), torch.randint(0, 3, (6,))) for _ in range(2)]


def read_pictures():
    time.sleep(0.2)  # decoding, here in the training process


def step(batch):
    read_pictures()  # wrong: belongs into the workers of a DataLoader
    inputs, labels = batch
    optimizer.zero_grad()
    loss = F.cross_entropy(model(inputs), labels)
    loss.backward()
    optimizer.step()
    return loss.item()
