"""In minGPT's manner: a Trainer with a config, callbacks, and a model that gives logits and loss."""

import time
from collections import defaultdict
from types import SimpleNamespace

import torch
from torch.nn import functional as F

from loopbench.models.causal_lm import TinyGPT, draw_documents


class GPT(TinyGPT):
    def forward(self, idx, targets=None):
        logits = super().forward(idx)
        loss = None
        if targets is not None:
            loss = F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)
        return logits, loss

    def configure_optimizers(self, config):
        decay = {
            n
            for n, p in self.named_parameters()
            if p.dim() >= 2 and "tokens" not in n and "positions" not in n
        }
        named = dict(self.named_parameters())
        groups = [
            {"params": [named[n] for n in sorted(decay)], "weight_decay": config.weight_decay},
            {"params": [named[n] for n in sorted(named.keys() - decay)], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas)


class Trainer:
    def __init__(self, config, model):
        self.config = config
        self.model = model
        self.optimizer = model.configure_optimizers(config)
        self.callbacks = defaultdict(list)
        self.iter_num = 0
        self.iter_time = 0.0
        self.loss = None

    def add_callback(self, onevent, callback):
        self.callbacks[onevent].append(callback)

    def trigger_callbacks(self, onevent):
        for callback in self.callbacks.get(onevent, []):
            callback(self)

    def run_batch(self, batch):
        self.model.train()
        x, y = batch
        _logits, self.loss = self.model(x, y)
        self.model.zero_grad(set_to_none=True)
        self.loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.grad_norm_clip)
        self.optimizer.step()
        self.trigger_callbacks("on_batch_end")
        self.iter_num += 1
        self.iter_time = time.time()
        return self.loss.item()


torch.manual_seed(3407)
config = SimpleNamespace(weight_decay=0.1, learning_rate=3e-4, betas=(0.9, 0.95), grad_norm_clip=1.0)
trainer = Trainer(config, GPT())
seen = []
trainer.add_callback("on_batch_end", lambda t: seen.append(t.loss.item()))
audit = {"step": trainer.run_batch, "batches": [(d[:, :-1], d[:, 1:]) for d in draw_documents(4, seed=21)]}
