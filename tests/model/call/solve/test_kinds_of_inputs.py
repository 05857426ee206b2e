"""Kinds of inputs that models of public packages take, each rebuilt small: what a forward refuses teaches them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tierproof.model.call.solve.failed_place import find_failed_place
from tierproof.model.call.solve.failed_unpacking import read_unpacking
from tierproof.model.call.solve.lesson import MoreAxes
from tierproof.model.describe.prepare_subject import prepare_subject


class PlacesOfAMap(nn.Module):
    """Attention over the places of a feature map, whose number is fixed."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.places = nn.Conv2d(5, 4, 1), nn.Parameter(torch.randn(64, 4))

    def forward(self, x: Tensor) -> Tensor:
        cut = self.embed(x).flatten(2).transpose(1, 2)
        assert cut.shape[1] == self.places.shape[0], f"{cut.shape[1]} places"
        return torch.softmax(cut @ cut.transpose(1, 2), -1) @ (cut + self.places)


class Spectrum(nn.Module):
    """A sound is cut into windows, so that it needs a channel axis and a minimum length."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(2, 3, 1)

    def forward(self, mix: Tensor) -> Tensor:
        cut = mix.unfold(-1, 48, 16)
        _b, _c, _windows, _width = cut.shape
        return self.mix(cut)


class Windows(nn.Module):
    """A length that holds not one window divides by zero."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        windows = x.shape[1] // 32
        kept = x[:, : x.shape[1] - x.shape[1] % windows]
        return self.embed(kept)


class Clicks(nn.Module):
    """Ids and numbers are columns of one matrix of floats."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(rows, 4) for rows in (7, 5))
        self.numbers, self.head = nn.Linear(3, 4), nn.Linear(8 + 4, 1)

    def forward(self, rows: Tensor) -> Tensor:
        numbers = torch.stack([rows[:, i] for i in (2, 3, 4)], dim=1)
        ids = [table(rows[:, i : i + 1].long()) for i, table in enumerate(self.tables)]
        return self.head(torch.cat([*(i.flatten(1) for i in ids), self.numbers(numbers)], dim=-1)).sigmoid()


class Halves(nn.Module):
    """An argument that is optional by its signature and required by what the model was built with."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers, self.table = nn.Linear(6, 4), nn.Embedding(9, 4)

    def forward(self, numbers: Tensor | None = None, cat: Tensor | None = None) -> Tensor:
        if cat is None:
            raise RuntimeError("built with categories, so cat must not be None")
        return self.numbers(numbers) + self.table(cat).mean(-2)


class Pairs(nn.Module):
    """Something for each pair of positions."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes, self.edges = nn.Linear(6, 4), nn.Linear(3, 4)

    def forward(self, nodes: Tensor, edges: Tensor | None = None) -> Tensor:
        held = self.nodes(nodes)
        return (held.unsqueeze(1) + self.edges(edges)).mean(2)


class Step(nn.Module):
    """Fractions of a step are told for one row only; whole steps for any number."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.table = nn.Linear(6, 4), nn.Embedding(10, 4)

    def forward(self, x: Tensor, diffusion_step: Tensor) -> Tensor:
        (_b, _n, _d), (_rows,) = x.shape, diffusion_step.shape
        if diffusion_step.is_floating_point():
            low = self.table(diffusion_step.abs().long().clamp(max=8))
            return self.embed(x) + (low * diffusion_step).unsqueeze(1)
        return self.embed(x) + self.table(diffusion_step).unsqueeze(1)


@pytest.mark.parametrize(
    ("model", "shapes"),
    [
        (PlacesOfAMap, {"x": ("batch", 5, 8, 8)}),
        (Spectrum, {"mix": ("batch", 2, "length")}),
        (Windows, {"x": ("batch", "length", 6)}),
        (Clicks, {"rows": ("batch", 5)}),
        (Pairs, {"nodes": ("batch", "length", 6), "edges": ("batch", "length", "length", 3)}),
        (Step, {"x": ("batch", "length", 6), "diffusion_step": ("batch",)}),
    ],
)
def test_inputs_of_this_kind_are_solved(model, shapes):
    torch.manual_seed(0)
    subject = prepare_subject(model())
    assert {a.name: a.shape for a in subject.inputs.arguments} == shapes
    assert subject.answer(subject.make_call(batch=3)).isfinite().all()


def test_ids_among_floats_are_whole_numbers():
    rows = prepare_subject(Clicks()).make_call(batch=4).tensors["rows"]
    assert rows.is_floating_point()
    assert set(rows.flatten().tolist()) <= {0.0, 1.0}


def test_an_argument_that_the_model_insists_on_is_passed():
    subject = prepare_subject(Halves())
    assert {a.name for a in subject.inputs.arguments} == {"numbers", "cat"}


def test_a_minimum_length_is_kept():
    inputs = prepare_subject(Windows()).inputs
    assert 32 <= inputs.min_length <= 40
    assert inputs.clip_length(8) == inputs.min_length


def test_the_axes_that_a_failed_unpacking_needs():
    def split(x: Tensor) -> int:
        deeper = x.unsqueeze(0)
        _b, _c, _h, width = deeper.shape
        return width

    with pytest.raises(ValueError, match="unpack") as caught:
        split(torch.zeros(2, 3))
    place = find_failed_place(caught.value)
    assert place is not None
    assert read_unpacking(place) == [MoreAxes(1)]
