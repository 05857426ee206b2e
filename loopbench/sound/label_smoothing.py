"""Label smoothing and class weights."""

import torch
from torch import nn

from loopbench.models.text_classifier import TextClassifier, draw_texts

torch.manual_seed(33)
model = TextClassifier()
criterion = nn.CrossEntropyLoss(label_smoothing=0.1, weight=torch.tensor([1.0, 2.0, 0.5, 1.5]))
optimizer = torch.optim.Adamax(model.parameters(), lr=2e-3)


def step(batch):
    model.train()
    x, y = batch
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


audit = {"step": step, "batches": draw_texts(4, seed=33)}
