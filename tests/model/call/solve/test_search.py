"""Sizes, ranks, dtypes and further arguments are learnt from what a forward refuses."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tierproof.model.call.forward_error import ForwardError
from tierproof.model.describe.prepare_subject import prepare_subject


class Patches(nn.Module):
    """An image is cut by a view, so no convolution tells its channels."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.places = nn.Linear(2 * 6 * 6, 16), nn.Parameter(torch.randn(1, 16, 16))

    def forward(self, shown: Tensor) -> Tensor:
        b, c, h, w = shown.shape
        if h % 6 or w % 6:
            raise ValueError(f"the sides {h} × {w} must be divisible by 6")
        cut = shown.view(b, c, h // 6, 6, w // 6, 6).permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        return self.embed(cut) + self.places


class Columns(nn.Module):
    """Categories are looked up, numbers are scaled: two arguments of different widths and dtypes."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.scale, self.head = nn.Embedding(40, 4), nn.LayerNorm(9), nn.Linear(4 * 3 + 9, 2)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        assert first.shape[-1] == 3, "three categories"
        assert second.shape[-1] == 9
        return self.head(torch.cat((self.table(first).flatten(1), self.scale(second)), dim=-1))


class Clip(nn.Module):
    """Frames before channels."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(3 * 32 * 32, 8)

    def forward(self, x: Tensor) -> Tensor:
        _b, _frames, _, _h, _w = x.shape
        return self.embed(x.flatten(2)).mean(1)


class Cloud(nn.Module):
    """Points with three coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.out = nn.Conv1d(3, 8, 1), nn.Linear(8, 4)

    def forward(self, points: Tensor) -> Tensor:
        assert points.shape[-1] == 3
        return self.out(self.embed(points.transpose(1, 2)).amax(-1))


class Step(nn.Module):
    """A plain number, by its annotation."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(50, 8), nn.Linear(8, 50)

    def forward(self, ids: Tensor, begin: int) -> Tensor:
        return self.head(self.table(ids) + self.table.weight[begin : begin + ids.shape[1]])


@pytest.mark.parametrize("model", [Patches, Columns, Clip, Cloud, Step])
def test_inputs_are_solved(model):
    subject = prepare_subject(model())
    assert subject.answer(subject.make_call()).isfinite().all()


def test_the_sizes_are_those_that_the_layers_want():
    assert prepare_subject(Patches()).inputs.primary_argument.shape == ("batch", 2, 24, 24)
    shapes = {a.name: (a.shape, a.dtype) for a in prepare_subject(Columns()).inputs.arguments}
    assert shapes["second"] == (("batch", 9), torch.float32)
    assert (shapes["first"][0][0], shapes["first"][0][-1], shapes["first"][1]) == ("batch", 3, torch.int64)


def test_a_fault_of_the_code_is_told_with_its_line():
    class Wrong(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(20, 8)

        def forward(self, ids: Tensor) -> Tensor:
            return self.embed(ids) + missing_name  # noqa: F821

    with pytest.raises(ForwardError) as caught:
        prepare_subject(Wrong())
    text = str(caught.value)
    assert "NameError" in text
    assert "return self.embed(ids) + missing_name" in text
    assert "test_search.py:" in text
    assert "inputs=" not in text


def test_what_cannot_be_solved_ends_with_code_to_paste():
    class Needs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Linear(4, 4)

        def forward(self, world: object, x: Tensor) -> Tensor:
            return self.embed(x) * world.simulate()

    with pytest.raises(ForwardError) as caught:
        prepare_subject(Needs())
    assert 'inputs=lambda: {"world"' in str(caught.value)


class Retelling(nn.Module):
    """Sounds are read and words written; both may be left out, and the forward says what it misses."""

    def __init__(self) -> None:
        super().__init__()
        self.ear, self.words, self.head = nn.Linear(12, 16), nn.Embedding(30, 16), nn.Linear(16, 30)

    def forward(self, heard: Tensor | None = None, told: Tensor | None = None) -> Tensor:
        if heard is None:
            raise ValueError("You have to pass heard")
        memory = self.ear(heard).mean(1, keepdim=True)
        if told is None:
            raise ValueError("You must specify exactly one of the words or their vectors")
        return self.head(self.words(told) + memory)


def test_an_optional_argument_that_the_forward_asks_for_is_passed():
    arguments = prepare_subject(Retelling().eval()).inputs.arguments
    assert [a.name for a in arguments] == ["heard", "told"]
    assert [a.dtype.is_floating_point for a in arguments] == [True, False]
