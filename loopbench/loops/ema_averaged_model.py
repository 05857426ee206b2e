"""Weights averaged by torch's AveragedModel, buffers with them."""

import torch
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from loopbench.models.conv_net import ConvNet, draw_images

torch.manual_seed(7)
model = ConvNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
ema_model = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)


def step(batch):
    images, labels = batch
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    ema_model.update_parameters(model)
    return loss.item()


audit = {"step": step, "batches": draw_images(4, seed=7)}
