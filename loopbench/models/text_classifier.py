"""A transformer encoder that classifies texts."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width, dropout):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, padding=None):
        y = self.norm1(x)
        y, _ = self.attention(y, y, y, key_padding_mask=padding, need_weights=False)
        x = x + self.dropout(y)
        return x + self.dropout(self.mlp(self.norm2(x)))


class TextClassifier(nn.Module):
    def __init__(self, vocabulary=40, width=32, length=16, classes=4, dropout=0.1):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, dropout) for _ in range(2))
        self.norm = nn.LayerNorm(width)
        self.pooler = nn.Linear(width, width)
        self.classifier = nn.Linear(width, classes)

    def forward(self, input_ids, attention_mask=None):
        x = self.tokens(input_ids) + self.positions(torch.arange(input_ids.shape[1]))
        padding = None if attention_mask is None else attention_mask == 0
        for block in self.blocks:
            x = block(x, padding)
        x = self.norm(x)
        if attention_mask is None:
            pooled = x.mean(1)
        else:
            kept = attention_mask[..., None].to(x.dtype)
            pooled = (x * kept).sum(1) / kept.sum(1)
        return self.classifier(torch.tanh(self.pooler(pooled)))


def draw_texts(count, rows=8, length=16, seed=0):
    """Batches of (tokens, label): the label is a function of the first token."""
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for _ in range(count):
        tokens = torch.randint(1, 40, (rows, length), generator=generator)
        batches.append((tokens, tokens[:, 0] % 4))
    return batches


def draw_padded_texts(count, rows=8, length=16, seed=0):
    """Batches of padded texts as dicts of input_ids, attention_mask and labels."""
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for _ in range(count):
        lengths = torch.randint(length // 2, length + 1, (rows,), generator=generator)
        mask = (torch.arange(length) < lengths[:, None]).long()
        tokens = torch.randint(2, 40, (rows, length), generator=generator).masked_fill(mask == 0, 0)
        batches.append({"input_ids": tokens, "attention_mask": mask, "labels": tokens[:, 0] % 4})
    return batches
