"""`T3-MODES-001`: the evaluation after each step leaves the model in evaluation mode: dropout is off from then on."""

import torch
from torch import nn
from torch.nn import functional as F

model = nn.Sequential(nn.Linear(8, 16), nn.Dropout(0.2), nn.Linear(16, 3))
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
batches = [(torch.randn(6, 8), torch.randint(0, 3, (6,))) for _ in range(2)]


def step(batch):
    inputs, labels = batch
    optimizer.zero_grad()
    loss = F.cross_entropy(model(inputs), labels)
    loss.backward()
    optimizer.step()
    model.eval()
    with torch.no_grad():
        model(inputs)
    model.train()  # right
    return loss.item()
