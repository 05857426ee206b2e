"""A label for each token, padding ignored, evaluated without gradients every few steps."""

import torch
from torch import nn

from loopbench.models.masked_lm import MaskedLM
from loopbench.models.text_classifier import draw_padded_texts


class Tagging:
    def __init__(self):
        self.model = MaskedLM(vocabulary=40)
        self.model.decoder = nn.Linear(32, 6)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        self.criterion = nn.CrossEntropyLoss(ignore_index=-100)
        self.best, self.count = None, 0

    def fit_one(self, batch):
        self.model.train()
        padding = batch["attention_mask"] == 0
        tags = (batch["input_ids"] % 6).masked_fill(padding, -100)
        scores = self.model(batch["input_ids"], padding)
        loss = self.criterion(scores.view(-1, 6), tags.view(-1))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.count += 1
        if self.count % 2 == 0:
            self.model.eval()
            with torch.no_grad():
                value = self.criterion(
                    self.model(batch["input_ids"], padding).view(-1, 6), tags.view(-1)
                ).item()
            self.best = value if self.best is None else min(self.best, value)
        return loss.item()


torch.manual_seed(56)
audit = {"step": Tagging().fit_one, "batches": draw_padded_texts(4, seed=56)}
