"""A trainer that accumulates over several calls: micro-batches of one size, a counter decides when to update."""

import torch
from torch.nn import functional as F

from loopbench.models.text_classifier import TextClassifier, draw_texts


class Trainer:
    def __init__(self, model, every=3):
        self.model = model
        self.every = every
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
        self.scheduler = torch.optim.lr_scheduler.LinearLR(self.optimizer, total_iters=50)
        self.seen = 0

    def train_step(self, batch):
        self.model.train()
        x, y = batch
        loss = F.cross_entropy(self.model(x), y)
        (loss / self.every).backward()
        self.seen += 1
        if self.seen % self.every == 0:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.scheduler.step()
            self.optimizer.zero_grad()
        return loss.item()


torch.manual_seed(6)
trainer = Trainer(TextClassifier())
audit = {"step": trainer.train_step, "batches": draw_texts(6, rows=6, seed=6)}
