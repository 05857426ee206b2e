"""`T3-PARAM-001`: the parameter groups leave out the pooler, which keeps its random start."""

import torch
from torch import nn
from torch.nn import functional as F

body, pooler, head = nn.Linear(8, 16), nn.Linear(16, 16), nn.Linear(16, 3)
model = nn.Sequential(body, nn.Tanh(), pooler, nn.Tanh(), head)
optimizer = torch.optim.AdamW([*body.parameters(), *head.parameters()], 1e-3)  # wrong: the pooler is missing
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)  # right
batches = [(torch.randn(6, 8), torch.randint(0, 3, (6,))) for _ in range(2)]


def step(batch):
    inputs, labels = batch
    optimizer.zero_grad()
    loss = F.cross_entropy(model(inputs), labels)
    loss.backward()
    optimizer.step()
    return loss.item()
