"""A training loop that runs, whose loss falls, and that is wrong in three places."""

import torch
from torch import nn
from torch.nn import functional as F

body = nn.Sequential(nn.Embedding(64, 32), nn.Linear(32, 32), nn.Tanh())
pooler, head = nn.Linear(32, 32), nn.Linear(32, 4)
model = nn.ModuleDict({"body": body, "pooler": pooler, "head": head})
optimizer = torch.optim.AdamW([*body.parameters(), *head.parameters()], lr=1e-3)
scaler = torch.amp.GradScaler("cpu")
losses = []


def step(batch):
    tokens, labels = batch
    optimizer.zero_grad()
    scores = head(torch.tanh(pooler(body(tokens).mean(1))))
    loss = F.cross_entropy(scores, labels)
    scaler.scale(loss).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
    losses.append(loss)
    return loss.item()


batches = [(torch.randint(0, 64, (8, 12)), torch.randint(0, 4, (8,))) for _ in range(3)]
audit = {"step": step, "batches": batches}
