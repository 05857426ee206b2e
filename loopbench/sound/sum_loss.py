"""In fairseq's manner: the summed loss is minimised over the number of tokens, reported per token in bits."""

import math

import torch
from torch.nn import functional as F

from loopbench.models.seq2seq import EncoderDecoder, draw_pairs

torch.manual_seed(47)
model = EncoderDecoder()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.98))


def train_step(sample):
    model.train()
    optimizer.zero_grad()
    target = sample["target"]
    lprobs = F.log_softmax(model(sample["source"], target[:, :-1], sample["source"] == 0), dim=-1)
    wanted = target[:, 1:]
    loss = F.nll_loss(lprobs.reshape(-1, 40), wanted.reshape(-1), ignore_index=0, reduction="sum")
    count = (wanted != 0).sum()
    loss.backward()
    for p in model.parameters():
        p.grad.div_(count)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return {"loss": loss.item() / count.item() / math.log(2)}


audit = {"step": train_step, "batches": draw_pairs(4, seed=47)}
