"""What is known of a model's length and inputs comes from the model, not from our own trial run or from names."""

from __future__ import annotations

import torch
from torch import nn

from tierproof.core.standing import Standing
from tierproof.model.call.input_plan import LENGTH
from tierproof.model.describe.prepare_subject import prepare_subject


class Encoder(nn.Module):
    """Embeds, adds what `place` gives, and attends."""

    def __init__(self, place: nn.Module | None = None, rows: int = 40) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(rows, 16), place
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

    def forward(self, ids):
        x = self.embed(ids)
        return self.layer(x if self.place is None else self.place(x))


class Waves(nn.Module):
    """A table that is no buffer, read up to the length."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.waves = torch.randn(rows, 16)

    def forward(self, x):
        return x + self.waves[: x.shape[1]]


class Whole(nn.Module):
    def __init__(self, rows: int) -> None:
        super().__init__()
        self.waves = nn.Parameter(torch.randn(1, rows, 16))

    def forward(self, x):
        return x + self.waves


class PosMixer(nn.Module):
    """Its name holds "pos", and no position is read."""

    def __init__(self) -> None:
        super().__init__()
        self.pos_proj = nn.Linear(16, 16)

    def forward(self, x):
        return x + self.pos_proj(x)


class Remembering(nn.Module):
    """Keeps the triangular mask of its longest call."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept", None, persistent=False)

    def forward(self, x):
        length = x.shape[1]
        if self.kept is None or self.kept.shape[0] < length:
            self.kept = torch.ones(length, length).tril()
        return self.kept[:length, :length] @ x


def describe(place: nn.Module | None):
    torch.manual_seed(0)
    return prepare_subject(Encoder(place)).inputs


def test_a_table_that_is_sliced_by_position_bounds_the_length():
    inputs = describe(Waves(24))
    assert inputs.max_length == 24
    assert inputs.max_length_standing is Standing.MEASURED
    assert "place.waves" in inputs.max_length_source


def test_a_table_that_is_added_whole_bounds_the_length():
    assert describe(Whole(8)).max_length == 8


def test_a_name_is_no_table():
    assert describe(PosMixer()).max_length is None


def test_what_our_own_run_leaves_declares_nothing():
    assert describe(Remembering()).max_length is None


class Typed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.types = nn.Embedding(40, 16), nn.Embedding(2, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

    def forward(self, a, b):
        return self.layer(self.words(a) + self.types(b))


def test_two_sequences_of_one_length_are_no_encoder_decoder():
    torch.manual_seed(0)
    subject = prepare_subject(Typed())
    assert subject.traits.kind != "encoder-decoder"
    assert [a.shape[1] for a in subject.inputs.arguments] == [LENGTH, LENGTH]
    assert [a.standing for a in subject.inputs.arguments] == [Standing.MEASURED] * 2


class Gated(nn.Module):
    """Its second argument is nothing that a table looks up."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.out = nn.Embedding(40, 16), nn.Linear(16, 4)

    def forward(self, ids, flags):
        return self.out(self.embed(ids) * flags[..., None])


def test_integers_that_nothing_looks_up_are_assumed():
    ids, flags = prepare_subject(Gated()).inputs.arguments
    assert (ids.standing, flags.standing) == (Standing.MEASURED, Standing.ASSUMED)
