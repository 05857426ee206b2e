"""Supervised fine-tuning: the prompt's labels are -100, the answer's are its tokens."""

import torch

from loopbench.models.causal_lm import GPTWithLoss, draw_padded

torch.manual_seed(55)
model = GPTWithLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=5)


def step(batch):
    model.train()
    loss = model(**batch).loss
    loss.backward()
    optimizer.step()
    scheduler.step(loss.item())
    optimizer.zero_grad()
    return loss.item()


batches = draw_padded(4, seed=55)
for b in batches:
    b["labels"][:, :4] = -100
audit = {"step": step, "batches": batches}
