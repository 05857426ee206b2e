"""Translation with teacher forcing: the decoder reads the target without its end, and writes it without its start."""

import torch
from torch import nn

from loopbench.models.seq2seq import EncoderDecoder, draw_pairs

PAD = 0

torch.manual_seed(11)
model = EncoderDecoder()
criterion = nn.CrossEntropyLoss(ignore_index=PAD)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.98), eps=1e-9)
scheduler = torch.optim.lr_scheduler.LambdaLR(
    optimizer, lambda t: min((t + 1) ** -0.5 * 20, (t + 1) * 20 * 400**-1.5)
)


def train_on(batch):
    model.train()
    source, target = batch["source"], batch["target"]
    given, wanted = target[:, :-1], target[:, 1:]
    scores = model(source, given, source == PAD)
    loss = criterion(scores.permute(0, 2, 1), wanted)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    scheduler.step()
    return loss.item()


audit = {"step": train_on, "batches": draw_pairs(4, seed=11)}
