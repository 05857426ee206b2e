"""`T3-TARGET-002`: the batch brings labels that are shifted already, and the step shifts them again."""

import torch
from torch import nn
from torch.nn import functional as F


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.mix, self.head = (
            nn.Embedding(32, 16),
            nn.GRU(16, 16, batch_first=True),
            nn.Linear(16, 32),
        )

    def forward(self, tokens):
        return self.head(self.mix(self.embed(tokens))[0])


model = Model()
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
texts = [torch.randint(0, 32, (4, 13)) for _ in range(2)]
batches = [(text[:, :-1], text[:, 1:]) for text in texts]


def step(batch):
    tokens, labels = batch
    optimizer.zero_grad()
    scores = model(tokens)
    scores, labels = scores[:, :-1], labels[:, 1:]  # wrong: shifted a second time
    loss = F.cross_entropy(scores.flatten(0, 1), labels.flatten())
    loss.backward()
    optimizer.step()
    return loss.item()
