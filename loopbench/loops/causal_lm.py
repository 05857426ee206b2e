"""A language model whose labels are shifted by the loop; batches are padded, and differ in length."""

import torch
from torch import nn

from loopbench.models.causal_lm import TinyGPT, draw_padded


def make_training():
    torch.manual_seed(1)
    model = TinyGPT()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    warmup = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: min(1.0, (t + 1) / 100))
    criterion = nn.CrossEntropyLoss(ignore_index=-100)

    def train_step(batch):
        model.train()
        tokens, mask = batch["input_ids"], batch["attention_mask"]
        inputs = tokens[:, :-1]
        targets = tokens[:, 1:].masked_fill(mask[:, 1:] == 0, -100)
        logits = model(inputs)
        loss = criterion(logits.reshape(-1, logits.size(-1)), targets.reshape(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        warmup.step()
        return loss.detach()

    return train_step


batches = [{k: b[k] for k in ("input_ids", "attention_mask")} for b in draw_padded(4, seed=1)]
audit = {"step": make_training(), "batches": batches}
