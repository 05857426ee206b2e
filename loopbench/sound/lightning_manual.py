"""In Lightning's manner with manual optimization: two optimizers, backward by hand."""

import torch
from torch import nn
from torch.nn import functional as F

from loopbench.models.text_classifier import TextClassifier, draw_texts


class Module(nn.Module):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.net = TextClassifier()
        self.log = {}
        heads = [*self.net.pooler.parameters(), *self.net.classifier.parameters()]
        known = {id(p) for p in heads}
        self._optimizers = [
            torch.optim.AdamW([p for p in self.net.parameters() if id(p) not in known], lr=1e-4),
            torch.optim.AdamW(heads, lr=1e-3),
        ]

    def optimizers(self):
        return self._optimizers

    def manual_backward(self, loss):
        loss.backward()

    def training_step(self, batch, batch_idx=0):
        body, head = self.optimizers()
        x, y = batch
        loss = F.cross_entropy(self.net(x), y)
        body.zero_grad()
        head.zero_grad()
        self.manual_backward(loss)
        body.step()
        head.step()
        self.log["train_loss"] = loss.detach()
        return loss


torch.manual_seed(26)
module = Module().train()
audit = {"step": module.training_step, "batches": draw_texts(4, seed=26)}
