"""A decoder in the style of GPT-2: learned positions, pre-norm, dropout, tied output, residuals scaled at init."""

import math

import torch
import torch.nn.functional as F
from torch import nn

VOCAB, WIDTH, HEADS, LAYERS, MAX_LENGTH = 61, 32, 4, 3, 32


class Attention(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)
        self.attn_drop = nn.Dropout(dropout)
        self.resid_drop = nn.Dropout(dropout)
        self.register_buffer("mask", torch.tril(torch.ones(MAX_LENGTH, MAX_LENGTH, dtype=torch.bool)))

    def split(self, x):
        return x.view(x.size(0), x.size(1), HEADS, WIDTH // HEADS).transpose(1, 2)

    def merge(self, y):
        return y.transpose(1, 2).reshape(y.size(0), y.size(2), WIDTH)

    def forward(self, x):
        length = x.size(1)
        q, k, v = (self.split(part) for part in self.qkv(x).chunk(3, dim=-1))
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
        scores = scores.masked_fill(~self.mask[:length, :length], float("-inf"))
        weights = self.attn_drop(F.softmax(scores, dim=-1))
        return self.resid_drop(self.proj(self.merge(weights @ v)))


class MLP(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.fc = nn.Linear(WIDTH, 4 * WIDTH)
        self.proj = nn.Linear(4 * WIDTH, WIDTH)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        return self.drop(self.proj(F.gelu(self.fc(x))))


class Block(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.attn = Attention(dropout)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.mlp = MLP(dropout)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
        return x


class GPT(nn.Module):
    def __init__(self, dropout=0.1):
        super().__init__()
        self.max_length = MAX_LENGTH
        self.tokens = nn.Embedding(VOCAB, WIDTH)
        self.positions = nn.Embedding(MAX_LENGTH, WIDTH)
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList([Block(dropout) for _ in range(LAYERS)])
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, VOCAB, bias=False)
        self.apply(self.init_weights)
        for block in self.blocks:
            nn.init.normal_(block.mlp.proj.weight, std=0.02 / math.sqrt(2 * LAYERS))
        self.head.weight = self.tokens.weight

    def init_weights(self, module):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)

    def forward(self, input_ids, labels=None):
        length = input_ids.size(1)
        where = torch.arange(length, device=input_ids.device)
        x = self.drop(self.tokens(input_ids) + self.positions(where))
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.norm(x))
        loss = None
        if labels is not None:
            ahead, behind = labels[:, 1:], logits[:, :-1]
            loss = F.cross_entropy(behind.reshape(-1, VOCAB), ahead.reshape(-1), ignore_index=-100)
        return {"loss": loss, "logits": logits}


def build():
    return GPT()
