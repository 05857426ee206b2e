"""Given inputs are run as they are; only what is seen to vary together is varied."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tierproof.model.call.input_plan import BATCH, LENGTH, TARGET_LENGTH
from tierproof.model.call.sample_size import redraw_sample, resize_sample
from tierproof.model.call.spec import ModelSpec
from tierproof.model.describe.prepare_subject import prepare_subject


class Pair(nn.Module):
    """A second sequence of another length reads the first through a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.source, self.target, self.head = nn.Embedding(30, 8), nn.Embedding(30, 8), nn.Linear(8, 30)

    def forward(self, long: Tensor, short: Tensor, seen: Tensor) -> Tensor:
        scores = self.target(short) @ self.source(long).transpose(1, 2)
        return self.head(scores.masked_fill(~seen, -1e9).softmax(-1) @ self.source(long))


class Stateful(nn.Module):
    """A recurrent net that takes tokens (length, batch) and the pair of states."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.cells, self.head = nn.Embedding(30, 8), nn.LSTM(8, 8, 3), nn.Linear(8, 30)

    def forward(self, words: Tensor, memory: tuple[Tensor, Tensor]) -> tuple[Tensor, object]:
        steps, memory = self.cells(self.embed(words), memory)
        return self.head(steps), memory


def test_unequal_sizes_are_kept_and_named():
    seen = torch.ones(3, 1, 7, dtype=torch.bool)
    given = (torch.randint(0, 30, (3, 7)), torch.randint(0, 30, (3, 5)), seen)
    plan = prepare_subject(Pair(), inputs=given).inputs
    assert [a.shape for a in plan.arguments] == [(BATCH, LENGTH), (BATCH, TARGET_LENGTH), (BATCH, 1, LENGTH)]
    call = plan.make()
    assert all(torch.equal(a, b) for a, b in zip(call.tensors.values(), given, strict=True))


def test_a_state_follows_the_batch_on_its_own_axis():
    state = (torch.zeros(3, 2, 8), torch.zeros(3, 2, 8))
    inputs = (torch.randint(0, 30, (6, 2)), state)
    subject = prepare_subject(Stateful(), inputs=inputs, spec=ModelSpec(batch_first=False))
    shapes = {a.name: a.shape for a in subject.inputs.arguments}
    assert shapes["words"] == (LENGTH, BATCH)
    assert shapes["memory.0"] == shapes["memory.1"] == (3, BATCH, 8)
    assert isinstance(subject.make_call(batch=5).split()[0][1], tuple)


def test_a_size_that_cannot_vary_is_kept_and_said():
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Linear(6, 6)

        def forward(self, x: Tensor) -> Tensor:
            return self.mix(x.transpose(1, 2)).transpose(1, 2)

    plan = prepare_subject(Fixed(), inputs=torch.randn(2, 6, 4)).inputs
    assert plan.primary_argument.shape == (BATCH, 6, 4)
    assert any("length of 6" in note for note in plan.assumptions)


def test_a_triangle_is_continued_as_a_triangle():
    small = torch.ones(5, 5, dtype=torch.bool).tril()
    assert torch.equal(
        resize_sample(small, (8, 8), continues=True), torch.ones(8, 8, dtype=torch.bool).tril()
    )
    assert torch.equal(
        resize_sample(small, (3, 3), continues=True), torch.ones(3, 3, dtype=torch.bool).tril()
    )


def test_values_are_drawn_anew_from_the_samples_own_columns():
    sample = torch.tensor([[0, 70], [1, 71], [2, 72]])
    drawn = redraw_sample(sample, torch.Generator().manual_seed(0), across=False)
    assert set(drawn[:, 0].tolist()) <= {0, 1, 2}
    assert set(drawn[:, 1].tolist()) <= {70, 71, 72}
