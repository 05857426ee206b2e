"""In nanoGPT's manner: a rate by hand, micro steps, a scaler that is disabled, clipping."""

import math
from contextlib import nullcontext

import torch
from torch.nn import functional as F

from loopbench.models.causal_lm import TinyGPT, draw_documents

learning_rate, min_lr = 6e-4, 6e-5
warmup_iters, lr_decay_iters = 10, 200
gradient_accumulation_steps = 4
grad_clip = 1.0
dtype = "float32"
ctx = nullcontext() if dtype == "float32" else torch.autocast("cpu", dtype=torch.bfloat16)

torch.manual_seed(1337)
model = TinyGPT(dropout=0.0, tied=True)
scaler = torch.amp.GradScaler("cpu", enabled=(dtype == "float16"))
decay = [p for p in model.parameters() if p.dim() >= 2]
nodecay = [p for p in model.parameters() if p.dim() < 2]
optimizer = torch.optim.AdamW(
    [{"params": decay, "weight_decay": 1e-2}, {"params": nodecay, "weight_decay": 0.0}],
    lr=learning_rate,
    betas=(0.9, 0.95),
)
iter_num = 0


def get_lr(it):
    if it < warmup_iters:
        return learning_rate * (it + 1) / (warmup_iters + 1)
    ratio = (it - warmup_iters) / (lr_decay_iters - warmup_iters)
    return min_lr + 0.5 * (1.0 + math.cos(math.pi * ratio)) * (learning_rate - min_lr)


def train_iter(batch):
    global iter_num
    for param_group in optimizer.param_groups:
        param_group["lr"] = get_lr(iter_num)
    model.train()
    lossf = 0.0
    for micro_step in range(gradient_accumulation_steps):
        X, Y = batch[micro_step]
        with ctx:
            logits = model(X)
            loss = F.cross_entropy(logits.view(-1, logits.size(-1)), Y.view(-1), ignore_index=-1)
            loss = loss / gradient_accumulation_steps
        scaler.scale(loss).backward()
        lossf += loss.item()
    if grad_clip != 0.0:
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), grad_clip)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad(set_to_none=True)
    iter_num += 1
    return lossf


chunks = [(data[:, :-1].contiguous(), data[:, 1:].contiguous()) for data in draw_documents(12, seed=20)]
audit = {"step": train_iter, "batches": [chunks[i : i + 4] for i in (0, 4, 8)]}
