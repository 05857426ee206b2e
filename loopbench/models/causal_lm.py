"""A small GPT, bare or with a head that shifts the labels itself, as transformers' models do."""

from types import SimpleNamespace

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, width, dropout):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        rows, length, width = x.shape
        heads = (rows, length, 4, width // 4)
        q, k, v = (part.view(heads).transpose(1, 2) for part in self.qkv(self.norm1(x)).chunk(3, -1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.dropout(self.proj(y.transpose(1, 2).reshape(rows, length, width)))
        return x + self.dropout(self.mlp(self.norm2(x)))


class TinyGPT(nn.Module):
    def __init__(self, vocabulary=50, width=32, length=24, dropout=0.1, tied=False):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, dropout) for _ in range(2))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        nn.init.normal_(self.tokens.weight, std=0.02)
        nn.init.normal_(self.positions.weight, std=0.02)
        if tied:
            self.head.weight = self.tokens.weight

    def features(self, tokens):
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def forward(self, tokens):
        return self.head(self.features(tokens))


class GPTWithLoss(TinyGPT):
    def forward(self, input_ids, attention_mask=None, labels=None):
        logits = super().forward(input_ids)
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
        return SimpleNamespace(loss=loss, logits=logits)


def draw_documents(count, rows=6, length=16, seed=0):
    """Batches of documents [rows, length] without padding."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(1, 50, (rows, length), generator=generator) for _ in range(count)]


def draw_padded(count, rows=6, length=16, seed=0, pad=0):
    """Batches as a tokenizer gives them: input_ids, attention_mask, and labels that are -100 at padding."""
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for index in range(count):
        width = length - 3 * (index % 3)
        tokens = torch.randint(1, 50, (rows, width), generator=generator)
        lengths = torch.randint(width // 2, width + 1, (rows,), generator=generator)
        lengths[0] = width
        mask = (torch.arange(width) < lengths[:, None]).long()
        tokens = tokens.masked_fill(mask == 0, pad)
        labels = tokens.masked_fill(mask == 0, -100)
        batches.append({"input_ids": tokens, "attention_mask": mask, "labels": labels})
    return batches
