"""A small classifier that is trained in the test: which of two sets of tokens is in the input."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VOCAB, LENGTH = 600, 12
# The tokens below this tell of one class, as many after them of the other.
TELLING = 15


class Classifier(nn.Module):
    """One block of attention, mean pooling, two classes."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCAB, width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Sequential(nn.Linear(width, 32), nn.GELU(), nn.Linear(32, 2))

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        x = self.norm(x + self.attention(x, x, x, need_weights=False)[0])
        return self.head(x.mean(1))


def draw_task(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Ids, of which four to six are telling and the others say nothing, and which of the two sets they are of."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(2 * TELLING, VOCAB, (count, LENGTH), generator=generator)
    labels = torch.randint(0, 2, (count,), generator=generator)
    for row in range(count):
        telling = int(torch.randint(4, 7, (1,), generator=generator))
        places = torch.randperm(LENGTH, generator=generator)[:telling]
        drawn = torch.randint(0, TELLING, (telling,), generator=generator)
        ids[row, places] = drawn + TELLING * int(labels[row])
    return ids, labels


def train_classifier(seed: int, steps: int = 120) -> Classifier:
    """Trained until it is nearly always right."""
    torch.manual_seed(seed)
    model = Classifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for step in range(steps):
        ids, labels = draw_task(64, 1000 * seed + step)
        optimizer.zero_grad()
        F.cross_entropy(model(ids), labels).backward()
        optimizer.step()
    return model.eval()
