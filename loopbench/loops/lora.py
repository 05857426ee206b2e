"""Low-rank adapters on a frozen language model."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from loopbench.models.causal_lm import TinyGPT, draw_documents


class LoRA(nn.Module):
    def __init__(self, base, rank=4, alpha=8.0):
        super().__init__()
        self.base = base
        self.lora_a = nn.Parameter(torch.empty(rank, base.in_features))
        self.lora_b = nn.Parameter(torch.zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))
        self.scaling = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scaling * (x @ self.lora_a.T @ self.lora_b.T)


torch.manual_seed(10)
model = TinyGPT()
for p in model.parameters():
    p.requires_grad = False
for block in model.blocks:
    block.qkv = LoRA(block.qkv)
    block.proj = LoRA(block.proj)

trainable = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trainable, lr=2e-3, weight_decay=0.0)


def step(tokens):
    model.train()
    optimizer.zero_grad()
    logits = model(tokens[:, :-1])
    loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trainable, 1.0)
    optimizer.step()
    return loss.item()


audit = {"step": step, "batches": draw_documents(4, seed=10)}
