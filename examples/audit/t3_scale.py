"""`T3-SCALE-001`: the optimizer is stepped past the scaler, with gradients 65,536 times too large."""

import torch
from torch import nn
from torch.nn import functional as F

model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
scaler = torch.amp.GradScaler("cpu")
batches = [(torch.randn(6, 8), torch.randint(0, 3, (6,))) for _ in range(2)]


def step(batch):
    inputs, labels = batch
    optimizer.zero_grad()
    loss = F.cross_entropy(model(inputs), labels)
    scaler.scale(loss).backward()
    optimizer.step()  # wrong: the gradients still carry the loss scale
    scaler.step(optimizer)  # right
    scaler.update()  # right
    return loss.item()
