"""An accelerate loop with accumulation, as its guide shows it."""

import torch
from accelerate import Accelerator
from torch.nn import functional as F

from loopbench.models.text_classifier import TextClassifier, draw_texts

torch.manual_seed(25)
accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
model = TextClassifier()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, total_iters=100)
model, optimizer, scheduler = accelerator.prepare(model, optimizer, scheduler)


def step(batch):
    model.train()
    with accelerator.accumulate(model):
        inputs, targets = batch
        loss = F.cross_entropy(model(inputs), targets)
        accelerator.backward(loss)
        if accelerator.sync_gradients:
            accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    return loss.item()


audit = {"step": step, "batches": draw_texts(4, seed=25)}
