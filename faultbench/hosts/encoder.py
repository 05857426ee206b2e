"""An encoder in the style of BERT: learned positions and segments, post-norm, additive padding mask, tied MLM head."""

import math

import torch
import torch.nn.functional as F
from torch import nn

VOCAB, WIDTH, HEADS, LAYERS, MAX_LENGTH = 59, 32, 4, 2, 40


class Embeddings(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.word = nn.Embedding(VOCAB, WIDTH, padding_idx=0)
        self.position = nn.Embedding(MAX_LENGTH, WIDTH)
        self.segment = nn.Embedding(2, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.drop = nn.Dropout(dropout)
        self.register_buffer("position_ids", torch.arange(MAX_LENGTH).unsqueeze(0), persistent=False)

    def forward(self, input_ids, token_type_ids):
        position_ids = self.position_ids[:, : input_ids.size(1)]
        x = self.word(input_ids) + self.position(position_ids) + self.segment(token_type_ids)
        return self.drop(self.norm(x))


class SelfAttention(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.drop = nn.Dropout(dropout)

    def split(self, x):
        return x.view(*x.shape[:2], HEADS, WIDTH // HEADS).permute(0, 2, 1, 3)

    def forward(self, x, bias):
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(WIDTH // HEADS)
        scores = scores + bias
        weights = self.drop(F.softmax(scores, dim=-1))
        context = torch.matmul(weights, v).permute(0, 2, 1, 3).contiguous()
        return self.out(context.view(*x.shape[:2], WIDTH))


class Layer(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.attention = SelfAttention(dropout)
        self.norm1 = nn.LayerNorm(WIDTH)
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.down = nn.Linear(4 * WIDTH, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, bias):
        x = self.norm1(x + self.drop(self.attention(x, bias)))
        return self.norm2(x + self.drop(self.down(F.gelu(self.up(x)))))


class Head(nn.Module):
    def __init__(self, word):
        super().__init__()
        self.dense = nn.Linear(WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.decoder = nn.Linear(WIDTH, VOCAB)
        self.decoder.weight = word.weight

    def forward(self, x):
        return self.decoder(self.norm(F.gelu(self.dense(x))))


class Encoder(nn.Module):
    def __init__(self, dropout=0.1):
        super().__init__()
        self.max_length = MAX_LENGTH
        self.embeddings = Embeddings(dropout)
        self.layers = nn.ModuleList([Layer(dropout) for _ in range(LAYERS)])
        self.head = Head(self.embeddings.word)
        self.apply(self.init_weights)
        with torch.no_grad():  # after the head, which is tied to the table, was drawn
            self.embeddings.word.weight[self.embeddings.word.padding_idx].zero_()

    def init_weights(self, module):
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)

    def forward(self, input_ids, attention_mask=None, token_type_ids=None):
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        if token_type_ids is None:
            token_type_ids = torch.zeros_like(input_ids)
        x = self.embeddings(input_ids, token_type_ids)
        bias = (1.0 - attention_mask[:, None, None, :].to(x.dtype)) * torch.finfo(x.dtype).min
        for layer in self.layers:
            x = layer(x, bias)
        return self.head(x)


def build():
    return Encoder()
