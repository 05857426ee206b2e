"""A recurrent language model whose state goes on from batch to batch, detached."""

import torch
from torch import nn

from loopbench.models.causal_lm import draw_documents


class RNNModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Embedding(50, 24)
        self.rnn = nn.GRU(24, 24, batch_first=True)
        self.drop = nn.Dropout(0.2)
        self.decoder = nn.Linear(24, 50)

    def forward(self, data, hidden):
        output, hidden = self.rnn(self.drop(self.encoder(data)), hidden)
        return self.decoder(self.drop(output)), hidden


torch.manual_seed(51)
model = RNNModel()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
carried = {"hidden": torch.zeros(1, 6, 24)}


def step(data):
    model.train()
    hidden = carried["hidden"].detach()
    model.zero_grad()
    output, hidden = model(data[:, :-1], hidden)
    loss = criterion(output.reshape(-1, 50), data[:, 1:].reshape(-1))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
    optimizer.step()
    carried["hidden"] = hidden.detach()
    return loss.item()


audit = {"step": step, "batches": draw_documents(4, seed=51)}
