"""Mixed precision with an enabled GradScaler, clipping and a one-cycle schedule."""

import torch
from torch.nn import functional as F

from loopbench.models.text_classifier import TextClassifier, draw_texts

torch.manual_seed(3)
net = TextClassifier()
opt = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.0)
sched = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=2e-3, total_steps=500)
scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
train_batches = draw_texts(4, seed=3)


def training_step(batch):
    inputs, targets = batch
    net.train()
    opt.zero_grad(set_to_none=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = net(inputs)
        loss = F.cross_entropy(output.float(), targets)
    scaler.scale(loss).backward()
    scaler.unscale_(opt)
    torch.nn.utils.clip_grad_norm_(net.parameters(), 0.5)
    scaler.step(opt)
    scaler.update()
    sched.step()
    return loss.item()


audit = {"step": training_step, "batches": train_batches}
