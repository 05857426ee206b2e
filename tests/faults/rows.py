"""Rows of a batch that influence each other."""

from __future__ import annotations

import torch
from torch import nn

from faults.attention import char_gpt
from zoo.handwritten import CharGPT, TinyViT


def batch_mean():
    class BatchMean(nn.Module):
        def forward(self, x):
            return x - x.mean(0, keepdim=True)

    model = char_gpt()
    model.blocks[1].mlp.append(BatchMean())
    return model


def first_row_is_fine():
    """Row i is mixed with row i − 1, so that a test of row 0 sees nothing."""

    class Neighbour(nn.Module):
        def forward(self, x):
            shifted = torch.cat([torch.zeros_like(x[:1]), x[:-1]], dim=0)
            return x + 0.1 * shifted

    model = char_gpt()
    model.blocks[2].mlp.append(Neighbour())
    return model


def positions_from_batch_axis():
    class Wrong(CharGPT):
        def forward(self, idx):
            x = self.token(idx) + self.position(torch.arange(idx.size(0)))[:, None]
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x))

    torch.manual_seed(0)
    return Wrong(dropout=0.0)


def attends_over_the_batch():
    """nn.TransformerEncoder without batch_first, given (batch, length)."""

    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(40, 32)
            self.position = nn.Embedding(48, 32)
            self.stack = nn.TransformerEncoder(
                nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=False), 2, enable_nested_tensor=False
            )
            self.out = nn.Linear(32, 5)

        def forward(self, tokens):
            x = self.embed(tokens) + self.position(torch.arange(tokens.size(1)))
            return self.out(self.stack(x))

    torch.manual_seed(0)
    return Tagger()


def norm_over_batch():
    class NormOverBatch(nn.Module):
        def forward(self, x):
            return nn.functional.batch_norm(x.transpose(1, 2), None, None, training=True).transpose(1, 2)

    torch.manual_seed(0)
    model = TinyViT().eval()
    name, _ = next((n, m) for n, m in model.named_modules() if isinstance(m, nn.TransformerEncoder))
    model.get_submodule(name).norm = NormOverBatch()
    return model


BATCH = {
    "batch_mean": (batch_mean, "T1-BATCH-001", {"blocks.1.mlp.4"}, "error"),
    "first_row_is_fine": (first_row_is_fine, "T1-BATCH-001", {"blocks.2.mlp.4"}, "error"),
    "positions_from_batch_axis": (positions_from_batch_axis, "T1-BATCH-001", {"", "position"}, "error"),
    "attends_over_the_batch": (attends_over_the_batch, "T1-BATCH-001", {"stack.layers.0.self_attn"}, "error"),
    "norm_over_batch": (norm_over_batch, "T1-BATCH-001", None, "error"),
}
