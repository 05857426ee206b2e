"""The shape of a Lightning module: training_step gives the loss, a driver does the rest."""

import torch
from torch import nn
from torch.nn import functional as F

from loopbench.models.causal_lm import TinyGPT, draw_padded


class LanguageModule(nn.Module):
    def __init__(self, lr=1e-3):
        super().__init__()
        self.lr = lr
        self.model = TinyGPT()

    def forward(self, tokens):
        hidden = self.model.features(tokens)
        return self.model.head(hidden)

    def training_step(self, batch, batch_idx):
        logits = self(batch["input_ids"])[:, :-1]
        labels = batch["labels"][:, 1:]
        loss = F.cross_entropy(logits.reshape(-1, 50), labels.reshape(-1), ignore_index=-100)
        return {"loss": loss}

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=0.0)
        return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, step_size=100)


class Driver:
    def __init__(self, module, clip=1.0):
        self.module, self.clip, self.index = module, clip, 0
        self.optimizer, self.scheduler = module.configure_optimizers()

    def fit_batch(self, batch):
        self.module.train()
        output = self.module.training_step(batch, self.index)
        self.optimizer.zero_grad()
        output["loss"].backward()
        nn.utils.clip_grad_norm_(self.module.parameters(), self.clip)
        self.optimizer.step()
        self.scheduler.step()
        self.index += 1
        return output["loss"].item()


torch.manual_seed(15)
driver = Driver(LanguageModule())
audit = {"step": driver.fit_batch, "batches": draw_padded(4, seed=15)}
