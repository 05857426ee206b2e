"""A class with its model, optimizer, schedule and evaluation."""

import torch
from torch import nn

from loopbench.models.text_classifier import TextClassifier, draw_texts


class Experiment:
    def __init__(self, config):
        self.config = config
        torch.manual_seed(config["seed"])
        self.model = TextClassifier(dropout=config["dropout"])
        self.opt = torch.optim.AdamW(self.model.parameters(), lr=config["lr"], weight_decay=0.0)
        self.sched = torch.optim.lr_scheduler.LinearLR(self.opt, start_factor=0.1, total_iters=20)
        self.criterion = nn.CrossEntropyLoss()
        self.history = []
        self.model.train()

    def train_step(self, batch):
        x, y = batch
        self.opt.zero_grad()
        logits = self.model(x)
        loss = self.criterion(logits, y)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config["clip"])
        self.opt.step()
        self.sched.step()
        self.history.append(loss.item())
        if len(self.history) % 3 == 0:
            self.evaluate()
        return {"loss": loss.detach(), "accuracy": (logits.argmax(-1) == y).float().mean().item()}

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        x, y = draw_texts(1, seed=77)[0]
        accuracy = (self.model(x).argmax(-1) == y).float().mean().item()
        self.model.train()
        return accuracy


experiment = Experiment({"seed": 13, "dropout": 0.1, "lr": 1e-3, "clip": 0.1})
audit = {"step": experiment.train_step, "batches": draw_texts(4, seed=13)}
