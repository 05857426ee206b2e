"""An encoder that fills in masked tokens, and a trunk with two heads."""

import torch
from torch import nn

from loopbench.models.text_classifier import Block


class MaskedLM(nn.Module):
    def __init__(self, vocabulary=40, width=32, length=16, dropout=0.1):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, dropout) for _ in range(2))
        self.norm = nn.LayerNorm(width)
        self.decoder = nn.Linear(width, vocabulary)

    def forward(self, tokens, padding=None):
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x, padding)
        return self.decoder(self.norm(x))


class Tagger(nn.Module):
    """A trunk with a head for the whole text and one for each token."""

    def __init__(self, vocabulary=40, width=32, topics=4, tags=6):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.trunk = nn.ModuleList(Block(width, 0.1) for _ in range(2))
        self.topic_head = nn.Linear(width, topics)
        self.tag_head = nn.Linear(width, tags)

    def forward(self, tokens):
        x = self.embedding(tokens)
        for block in self.trunk:
            x = block(x)
        return {"topic": self.topic_head(x.mean(1)), "tags": self.tag_head(x)}
