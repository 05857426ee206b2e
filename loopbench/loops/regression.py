"""A regression on a pooled text, with a squared error."""

import torch
from torch.nn import functional as F

from loopbench.models.text_classifier import TextClassifier, draw_texts

torch.manual_seed(19)
model = TextClassifier(classes=1)
optimizer = torch.optim.RMSprop(model.parameters(), lr=5e-4)


def step(batch):
    tokens, labels = batch
    wanted = labels.float() - 1.5
    model.train()
    optimizer.zero_grad()
    prediction = model(tokens).squeeze(-1)
    loss = F.mse_loss(prediction, wanted)
    loss.backward()
    optimizer.step()
    return loss.item()


audit = {"step": step, "batches": draw_texts(4, seed=19)}
