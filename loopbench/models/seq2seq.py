"""A transformer encoder with a decoder."""

import torch
from torch import nn


class EncoderDecoder(nn.Module):
    def __init__(self, vocabulary=40, width=32, length=24, dropout=0.1):
        super().__init__()
        self.source = nn.Embedding(vocabulary, width)
        self.target = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(length, width)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(width, 4, 64, dropout, batch_first=True), 1, enable_nested_tensor=False
        )
        self.decoder = nn.TransformerDecoder(
            nn.TransformerDecoderLayer(width, 4, 64, dropout, batch_first=True), 1
        )
        self.head = nn.Linear(width, vocabulary)

    def encode(self, source, padding):
        x = self.source(source) + self.positions(torch.arange(source.shape[1]))
        return self.encoder(x, src_key_padding_mask=padding)

    def forward(self, source, target, padding=None):
        memory = self.encode(source, padding)
        length = target.shape[1]
        hidden = torch.triu(torch.ones(length, length, dtype=torch.bool), 1)
        y = self.target(target) + self.positions(torch.arange(length))
        return self.head(self.decoder(y, memory, tgt_mask=hidden, memory_key_padding_mask=padding))


def draw_pairs(count, rows=6, seed=0):
    """Batches of source and target tokens: 0 pads, 1 begins and 2 ends a target."""
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for _ in range(count):
        lengths = torch.randint(5, 11, (rows,), generator=generator)
        lengths[0] = 10
        source = torch.randint(3, 40, (rows, 10), generator=generator)
        source = source.masked_fill(torch.arange(10) >= lengths[:, None], 0)
        target = torch.zeros(rows, 12, dtype=torch.long)
        target[:, 0] = 1
        for row, length in enumerate(lengths.tolist()):
            target[row, 1 : length + 1] = source[row, :length].flip(0)
            target[row, length + 1] = 2
        batches.append({"source": source, "target": target})
    return batches
