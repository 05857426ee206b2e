"""Which sizes of given inputs are the batch and the lengths."""

from __future__ import annotations

import torch
from torch import nn

from tierproof.model.describe.prepare_subject import prepare_subject
from zoo.handwritten import build


class Translator(nn.Module):
    """Reads a source, and answers for each position of a target."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(30, 8)
        self.mix, self.head = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 30)

    def forward(self, src, tgt, tgt_weights):
        source, target = self.table(src), self.table(tgt)
        return self.head(self.mix(target, source, source)[0] + target) * tgt_weights.unsqueeze(-1)


class Segments(nn.Module):
    """Two tables of one length."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.segments, self.head = nn.Embedding(30, 8), nn.Embedding(2, 8), nn.Linear(8, 30)

    def forward(self, ids, segments):
        return self.head(self.words(ids) + self.segments(segments))


def find_shapes(model: nn.Module, **inputs: torch.Tensor) -> dict[str, tuple[str | int, ...]]:
    return {a.name: a.shape for a in prepare_subject(model, inputs=inputs).inputs.arguments}


def test_a_target_given_as_long_as_the_source_has_a_length_of_its_own():
    ids = torch.randint(0, 30, (3, 9))
    shapes = find_shapes(Translator(), src=ids, tgt=ids, tgt_weights=torch.ones(3, 9))
    assert shapes == {
        "src": ("batch", "length"),
        "tgt": ("batch", "target_length"),
        "tgt_weights": ("batch", "target_length"),
    }
    model = build("seq2seq")
    names = [argument.name for argument in prepare_subject(model).inputs.arguments]
    found = find_shapes(model, **dict.fromkeys(names, ids))
    assert list(found.values()) == [("batch", "length"), ("batch", "target_length")]


def test_what_must_be_as_long_as_the_first_stays_so():
    ids = torch.randint(0, 2, (3, 9))
    shapes = find_shapes(Segments(), ids=ids, segments=ids)
    assert set(shapes.values()) == {("batch", "length")}
