"""The shape of an accelerate loop: everything is prepared, and the accelerator calls backward and clips."""

import torch
from torch.nn import functional as F

from loopbench.models.text_classifier import TextClassifier, draw_padded_texts


class PreparedOptimizer(torch.optim.Optimizer):
    """Wraps an optimizer as accelerate's does: it steps only where gradients are complete."""

    def __init__(self, optimizer, accelerator):
        self.optimizer, self.accelerator = optimizer, accelerator

    @property
    def param_groups(self):
        return self.optimizer.param_groups

    @property
    def state(self):
        return self.optimizer.state

    def state_dict(self):
        return self.optimizer.state_dict()

    def load_state_dict(self, state_dict):
        self.optimizer.load_state_dict(state_dict)

    def zero_grad(self, set_to_none=True):
        if self.accelerator.sync:
            self.optimizer.zero_grad(set_to_none)

    def step(self):
        if self.accelerator.sync:
            self.optimizer.step()


class PreparedScheduler:
    def __init__(self, scheduler, accelerator):
        self.scheduler, self.accelerator = scheduler, accelerator

    def step(self):
        if self.accelerator.sync:
            self.scheduler.step()


class Accelerator:
    def __init__(self, every):
        self.every, self.calls, self.sync = every, 0, True

    def prepare(self, model, optimizer, scheduler):
        return model, PreparedOptimizer(optimizer, self), PreparedScheduler(scheduler, self)

    def begin(self):
        self.calls += 1
        self.sync = self.calls % self.every == 0

    def backward(self, loss):
        (loss / self.every).backward()

    def clip_grad_norm_(self, parameters, most):
        return torch.nn.utils.clip_grad_norm_(parameters, most)


torch.manual_seed(14)
accelerator = Accelerator(every=2)
model = TextClassifier()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, total_iters=50)
model, optimizer, scheduler = accelerator.prepare(model, optimizer, scheduler)


def step(batch):
    model.train()
    accelerator.begin()
    logits = model(batch["input_ids"], batch["attention_mask"])
    loss = F.cross_entropy(logits, batch["labels"])
    accelerator.backward(loss)
    if accelerator.sync:
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    scheduler.step()
    optimizer.zero_grad()
    return loss.detach().item()


audit = {"step": step, "batches": draw_padded_texts(6, seed=14)}
