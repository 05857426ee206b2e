"""`T3-AGAIN-002`: the step counts for itself, and a run that is loaded from its state_dicts starts to warm up again."""

import torch
from torch import nn
from torch.nn import functional as F

model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
warm_up = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=10)  # right
batches = [(torch.randn(6, 8), torch.randint(0, 3, (6,))) for _ in range(2)]
number = [0]  # wrong: in no state_dict


def step(batch):
    inputs, labels = batch
    number[0] += 1  # wrong: in no state_dict
    optimizer.param_groups[0]["lr"] = 0.1 * min(1.0, number[0] / 10)  # wrong: in no state_dict
    optimizer.zero_grad()
    loss = F.cross_entropy(model(inputs), labels)
    loss.backward()
    optimizer.step()
    warm_up.step()  # right
    return loss.item()
