"""Stochastic weight averaging with its own schedule."""

import torch
from torch import nn
from torch.optim.swa_utils import SWALR, AveragedModel

from loopbench.models.text_classifier import TextClassifier, draw_texts

torch.manual_seed(27)
model = TextClassifier()
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
swa_model = AveragedModel(model)
swa_scheduler = SWALR(optimizer, swa_lr=0.02, anneal_epochs=5)


def step(batch):
    inputs, target = batch
    model.train()
    optimizer.zero_grad()
    loss = loss_fn(model(inputs), target)
    loss.backward()
    optimizer.step()
    swa_model.update_parameters(model)
    swa_scheduler.step()
    return loss.item()


audit = {"step": step, "batches": draw_texts(4, seed=27)}
