"""A frozen backbone in evaluation mode with a head that is trained."""

import torch
from torch.nn import functional as F

from loopbench.models.conv_net import ConvNet, draw_images

torch.manual_seed(37)
model = ConvNet()
model.features.requires_grad_(False)
optimizer = torch.optim.SGD(model.fc.parameters(), lr=0.1)


def step(batch):
    images, labels = batch
    model.train()
    model.features.eval()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


audit = {"step": step, "batches": draw_images(4, seed=37)}
