"""A text classifier: AdamW with two groups, clipping, a schedule by the step."""

import torch
from torch.nn import functional as F

from loopbench.models.text_classifier import TextClassifier, draw_texts

torch.manual_seed(0)
model = TextClassifier()
batches = draw_texts(4)
losses = []

decayed = [
    p for n, p in model.named_parameters() if p.dim() >= 2 and "tokens" not in n and "positions" not in n
]
plain = [p for n, p in model.named_parameters() if p.dim() < 2 or "tokens" in n or "positions" in n]
optimizer = torch.optim.AdamW(
    [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}], lr=1e-3
)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=1000)


def step(batch):
    tokens, labels = batch
    model.train()
    optimizer.zero_grad()
    logits = model(tokens)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    scheduler.step()
    losses.append(loss.item())
    return loss.item()


audit = {"step": step, "batches": batches}
