"""Masked language modelling: the loop masks tokens and trains on the masked ones only."""

import torch
from torch.nn import functional as F

from loopbench.models.masked_lm import MaskedLM
from loopbench.models.text_classifier import draw_texts

MASK = 39

torch.manual_seed(17)
model = MaskedLM()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)


def mask_tokens(tokens):
    chosen = torch.rand(tokens.shape) < 0.25
    labels = tokens.masked_fill(~chosen, -100)
    return tokens.masked_fill(chosen, MASK), labels


def step(batch):
    tokens, _ = batch
    model.train()
    inputs, labels = mask_tokens(tokens)
    scores = model(inputs)
    loss = F.cross_entropy(scores.view(-1, scores.size(-1)), labels.view(-1), ignore_index=-100)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


audit = {"step": step, "batches": draw_texts(4, seed=17)}
