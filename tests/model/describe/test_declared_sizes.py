"""A size that the model names is taken over one that merely runs."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import nn

from tierproof.model.describe.prepare_subject import prepare_subject


class Segments(nn.Module):
    """Segments of four steps with a table of six places, to which a single segment is broadcast."""

    def __init__(self):
        super().__init__()
        self.in_len = 24
        self.places, self.embed = nn.Parameter(torch.randn(6, 16)), nn.Linear(16, 16)
        self.head = nn.Linear(16, 2)

    def forward(self, x):
        segments = x.reshape(x.shape[0], x.shape[1] // 4, 16)
        return self.head((self.embed(segments) + self.places).mean(1))


def test_the_length_that_an_attribute_names():
    torch.manual_seed(0)
    subject = prepare_subject(Segments())
    sizes = [
        subject.inputs.default_length if s == "length" else s for s in subject.inputs.primary_argument.shape
    ]
    assert sizes[1:] == [24, 4]


class Latent(nn.Module):
    def __init__(self):
        super().__init__()
        self.config = SimpleNamespace(sample_size=8)
        self.stem, self.head = nn.Conv2d(4, 8, 2, 2), nn.Linear(8, 3)

    def forward(self, pixel_values):
        return self.head(self.stem(pixel_values).mean((2, 3)))


def test_the_image_size_that_a_config_names():
    assert prepare_subject(Latent()).inputs.primary_argument.shape == ("batch", 4, 8, 8)


class Columns(nn.Module):
    """Each column of a table has a table of its own; further columns are not read."""

    def __init__(self):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(3, 4) for _ in range(2))
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(torch.cat([table(x[:, i]) for i, table in enumerate(self.tables)], -1))


def test_given_columns_are_no_length():
    torch.manual_seed(0)
    given = {"x": torch.randint(3, (4, 2))}
    assert prepare_subject(Columns(), inputs=given).inputs.primary_argument.shape == ("batch", 2)
