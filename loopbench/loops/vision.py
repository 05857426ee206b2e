"""Images with flips, batch norm, SGD with momentum, and a validation every few steps."""

import torch
from torch.nn import functional as F

from loopbench.models.conv_net import ConvNet, draw_images

torch.manual_seed(12)
model = ConvNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
held_out = draw_images(1, seed=99)[0]
history = {"train": [], "validation": []}
state = {"step": 0}


def augment(images):
    flip = torch.rand(len(images)) < 0.5
    return torch.where(flip[:, None, None, None], images.flip(-1), images)


def validate():
    model.eval()
    with torch.no_grad():
        images, labels = held_out
        history["validation"].append(F.cross_entropy(model(images), labels).item())
    model.train()


def step(batch):
    images, labels = batch
    model.train() if state["step"] == 0 else None
    optimizer.zero_grad()
    images = augment(images)
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    history["train"].append(loss.item())
    state["step"] += 1
    if state["step"] % 2 == 0:
        validate()
    return loss.item()


audit = {"step": step, "batches": draw_images(4, seed=12)}
