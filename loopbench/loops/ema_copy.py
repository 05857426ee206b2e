"""A teacher that is a copy of the model and follows it, batch norm's statistics too."""

import copy

import torch
from torch.nn import functional as F

from loopbench.models.conv_net import ConvNet, draw_images


def build(momentum=0.9):
    torch.manual_seed(9)
    student = ConvNet()
    teacher = copy.deepcopy(student).eval()
    for p in teacher.parameters():
        p.requires_grad_(False)
    opt = torch.optim.SGD(student.parameters(), lr=0.05, momentum=0.9)

    @torch.no_grad()
    def follow():
        for ours, theirs in zip(teacher.parameters(), student.parameters()):
            ours.lerp_(theirs, 1 - momentum)
        for ours, theirs in zip(teacher.buffers(), student.buffers()):
            ours.copy_(theirs)

    def step(batch):
        x, y = batch
        student.train()
        opt.zero_grad()
        loss = F.cross_entropy(student(x), y)
        loss.backward()
        opt.step()
        follow()
        return loss.item()

    return {"step": step, "batches": draw_images(4, seed=9), "model": student}


audit = build()
