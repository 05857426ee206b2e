"""A critic with a penalty on the gradient by its inputs."""

import torch
from torch import nn

torch.manual_seed(52)
critic = nn.Sequential(nn.Linear(16, 32), nn.SiLU(), nn.Linear(32, 1))
optimizer = torch.optim.RMSprop(critic.parameters(), lr=1e-3)


def step(batch):
    real, fake = batch
    critic.train()
    mix = torch.rand(len(real), 1)
    between = (mix * real + (1 - mix) * fake).requires_grad_(True)
    slope = torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0]
    penalty = ((slope.norm(dim=1) - 1) ** 2).mean()
    loss = critic(fake).mean() - critic(real).mean() + 10.0 * penalty
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


draws = torch.Generator().manual_seed(52)
pairs = [(torch.randn(8, 16, generator=draws), torch.randn(8, 16, generator=draws) + 1) for _ in range(4)]
audit = {"step": step, "batches": pairs}
