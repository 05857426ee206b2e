"""Input and output embeddings are one tensor; the batch is a dict with labels of its own."""

import torch

from loopbench.models.causal_lm import GPTWithLoss, draw_padded

torch.manual_seed(40)
lm = GPTWithLoss(tied=True)
optim = torch.optim.AdamW(lm.parameters(), lr=1e-3, weight_decay=0.0)


def training_step(batch):
    lm.train()
    out = lm(**batch)
    optim.zero_grad()
    out.loss.backward()
    torch.nn.utils.clip_grad_value_(lm.parameters(), 0.5)
    optim.step()
    return out.loss


audit = {"step": training_step, "batches": draw_padded(4, seed=40)}
