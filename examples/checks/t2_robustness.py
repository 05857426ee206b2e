"""`T2-ROBUSTNESS-001`: a large term that all classes share leaves bfloat16 no digits to tell them apart."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(32, 16)
        self.centres = nn.Parameter(torch.randn(4, 16))

    def forward(self, ids):
        x = 30 * self.embed(ids).sum(1)
        scores = 2 * x @ self.centres.t() - self.centres.square().sum(-1)
        return scores - x.square().sum(-1, keepdim=True)  # wrong: the whole squared distance
        return scores  # right: the part in which the classes differ
