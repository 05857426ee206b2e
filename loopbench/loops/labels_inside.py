"""A language model that shifts the labels itself; the collator makes them."""

import torch

from loopbench.models.causal_lm import GPTWithLoss, draw_padded

torch.manual_seed(2)
model = GPTWithLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.0)


def collate(tokens, mask):
    labels = tokens.clone()
    labels[mask == 0] = -100
    return {"input_ids": tokens, "attention_mask": mask, "labels": labels}


def step(batch):
    model.train()
    batch = collate(batch["input_ids"], batch["attention_mask"])
    outputs = model(**batch)
    loss = outputs.loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


batches = [{k: b[k] for k in ("input_ids", "attention_mask")} for b in draw_padded(4, seed=2)]
audit = {"step": step, "batches": batches}
