"""`T3-SPLIT-001`: some of the rows that are held out are also trained on."""

import torch
from torch import nn
from torch.nn import functional as F

model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
inputs, labels = torch.randn(24, 8), torch.randint(0, 3, (24,))
batches = [(inputs[:8], labels[:8]), (inputs[8:16], labels[8:16])]
held_out = [(inputs[12:], labels[12:])]  # wrong: four rows are in the second batch as well
held_out = [(inputs[16:], labels[16:])]  # right


def step(batch):
    inputs, labels = batch
    optimizer.zero_grad()
    loss = F.cross_entropy(model(inputs), labels)
    loss.backward()
    optimizer.step()
    return loss.item()
