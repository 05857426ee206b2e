"""An encoder-decoder of 2017: sinusoidal positions, post-norm, cross-attention, masks for source and target."""

import math

import torch
import torch.nn.functional as F
from torch import nn

VOCAB, WIDTH, HEADS, LAYERS, MAX_LENGTH, START, PAD = 53, 32, 4, 2, 48, 1, 0


def make_table():
    position = torch.arange(MAX_LENGTH).float()[:, None]
    rate = torch.exp(torch.arange(0, WIDTH, 2).float() * (-math.log(10_000.0) / WIDTH))
    table = torch.zeros(MAX_LENGTH, WIDTH)
    table[:, 0::2] = torch.sin(position * rate)
    table[:, 1::2] = torch.cos(position * rate)
    return table


class Embedding(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.tokens = nn.Embedding(VOCAB, WIDTH)
        self.register_buffer("table", make_table())
        self.drop = nn.Dropout(dropout)

    def forward(self, ids):
        x = self.tokens(ids) * math.sqrt(WIDTH)
        return self.drop(x + self.table[: ids.size(1)])


class MultiHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.q = nn.Linear(WIDTH, WIDTH)
        self.k = nn.Linear(WIDTH, WIDTH)
        self.v = nn.Linear(WIDTH, WIDTH)
        self.o = nn.Linear(WIDTH, WIDTH)

    def forward(self, x, memory, allowed):
        b, t, s = x.size(0), x.size(1), memory.size(1)
        q = self.q(x).view(b, t, HEADS, -1).transpose(1, 2)
        k = self.k(memory).view(b, s, HEADS, -1).transpose(1, 2)
        v = self.v(memory).view(b, s, HEADS, -1).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        return self.o(y.transpose(1, 2).reshape(b, t, WIDTH))


class FeedForward(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.up = nn.Linear(WIDTH, 64)
        self.down = nn.Linear(64, WIDTH)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        return self.down(self.drop(F.relu(self.up(x))))


class EncoderLayer(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.self_attn = MultiHead()
        self.ff = FeedForward(dropout)
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, allowed):
        x = self.norm1(x + self.drop(self.self_attn(x, x, allowed)))
        return self.norm2(x + self.drop(self.ff(x)))


class DecoderLayer(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.self_attn = MultiHead()
        self.cross_attn = MultiHead()
        self.ff = FeedForward(dropout)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(WIDTH) for _ in range(3))
        self.drop = nn.Dropout(dropout)

    def forward(self, x, memory, causal, allowed):
        x = self.norm1(x + self.drop(self.self_attn(x, x, causal)))
        x = self.norm2(x + self.drop(self.cross_attn(x, memory, allowed)))
        return self.norm3(x + self.drop(self.ff(x)))


class Seq2Seq(nn.Module):
    def __init__(self, dropout=0.1):
        super().__init__()
        self.max_length = MAX_LENGTH
        self.source = Embedding(dropout)
        self.target = Embedding(dropout)
        self.encoder = nn.ModuleList([EncoderLayer(dropout) for _ in range(LAYERS)])
        self.decoder = nn.ModuleList([DecoderLayer(dropout) for _ in range(LAYERS)])
        self.head = nn.Linear(WIDTH, VOCAB)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, input_ids, decoder_input_ids, attention_mask=None):
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        allowed = attention_mask[:, None, None, :].bool()
        memory = self.source(input_ids)
        for layer in self.encoder:
            memory = layer(memory, allowed)
        length = decoder_input_ids.size(1)
        causal = torch.ones(length, length, dtype=torch.bool, device=input_ids.device).tril()
        x = self.target(decoder_input_ids)
        for layer in self.decoder:
            x = layer(x, memory, causal, allowed)
        return self.head(x)


def build():
    return Seq2Seq()
