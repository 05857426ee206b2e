"""REINFORCE: what is reported is the reward, what is minimised is not."""

import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(48)
policy = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 3))
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)


def step(states):
    policy.train()
    chances = Categorical(logits=policy(states))
    actions = chances.sample()
    rewards = (actions == states[:, :3].argmax(-1)).float()
    advantage = rewards - rewards.mean()
    loss = -(chances.log_prob(actions) * advantage).mean() - 0.01 * chances.entropy().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


audit = {
    "step": step,
    "batches": [torch.randn(16, 6, generator=torch.Generator().manual_seed(i)) for i in range(4)],
}
