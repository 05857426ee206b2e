"""One update over several micro-batches of unequal length; each token weighs alike."""

import torch
from torch.nn import functional as F

from loopbench.models.causal_lm import TinyGPT, draw_padded

torch.manual_seed(5)
model = TinyGPT()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, total_iters=50)


def step(chunks):
    model.train()
    total = sum((chunk["labels"][:, 1:] != -100).sum() for chunk in chunks)
    running = 0.0
    optimizer.zero_grad()
    for chunk in chunks:
        logits = model(chunk["input_ids"])[:, :-1]
        labels = chunk["labels"][:, 1:]
        loss = F.cross_entropy(logits.transpose(1, 2), labels, ignore_index=-100, reduction="sum") / total
        loss.backward()
        running += loss.item()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    scheduler.step()
    return running


pieces = draw_padded(9, rows=4, seed=5)
audit = {"step": step, "batches": [pieces[:3], pieces[3:6], pieces[6:]]}
