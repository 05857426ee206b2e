"""A recurrent classifier that sorts its rows by length for packing, labels with them."""

import torch
from torch import nn
from torch.nn import functional as F

from loopbench.models.text_classifier import draw_padded_texts


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(40, 16, padding_idx=0)
        self.lstm = nn.LSTM(16, 24, batch_first=True)
        self.out = nn.Linear(24, 4)

    def forward(self, tokens, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(self.embedding(tokens), lengths, batch_first=True)
        _, (hidden, _) = self.lstm(packed)
        return self.out(hidden[-1])


torch.manual_seed(45)
model = Recurrent()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)


def step(batch):
    model.train()
    lengths, order = batch["attention_mask"].sum(1).sort(descending=True)
    tokens, labels = batch["input_ids"][order], batch["labels"][order]
    optimizer.zero_grad()
    loss = F.cross_entropy(model(tokens, lengths), labels)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    return loss.item()


audit = {"step": step, "batches": draw_padded_texts(4, seed=45)}
