"""An encoder and a decoder as two modules, each with an optimizer, joined for the audit."""

import torch
from torch import nn

from loopbench.models.seq2seq import draw_pairs

torch.manual_seed(58)
embed, encoder = nn.Embedding(40, 24), nn.GRU(24, 24, batch_first=True)
decoder, out = nn.GRU(24, 24, batch_first=True), nn.Linear(24, 40)
modules = nn.ModuleDict({"embed": embed, "encoder": encoder, "decoder": decoder, "out": out})
encoder_optimizer = torch.optim.Adam([*embed.parameters(), *encoder.parameters()], lr=1e-3)
decoder_optimizer = torch.optim.Adam([*decoder.parameters(), *out.parameters()], lr=1e-3)
criterion = nn.CrossEntropyLoss(ignore_index=0)


def train(batch):
    encoder_optimizer.zero_grad()
    decoder_optimizer.zero_grad()
    _, hidden = encoder(embed(batch["source"]))
    states, _ = decoder(embed(batch["target"][:, :-1]), hidden)
    loss = criterion(out(states).reshape(-1, 40), batch["target"][:, 1:].reshape(-1))
    loss.backward()
    encoder_optimizer.step()
    decoder_optimizer.step()
    return loss.item()


audit = {"step": train, "batches": draw_pairs(4, seed=58), "model": modules}
