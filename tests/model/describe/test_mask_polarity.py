"""Which value of a required mask hides is measured, and a mask that cannot be measured stays an assumption."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import tierproof as tp
from tierproof.core.standing import Standing
from tierproof.model.describe.prepare_subject import prepare_subject


class Masked(nn.Module):
    """Hides where the mask is `hiding`, from attention and from the mean."""

    def __init__(self, hiding):
        super().__init__()
        self.words, self.out, self.hiding = nn.Embedding(40, 16), nn.Linear(16, 5), hiding

    def forward(self, ids, mask):
        x, hidden = self.words(ids), mask.bool() == bool(self.hiding)
        scores = (x @ x.transpose(1, 2)).masked_fill(hidden[:, None], -1e9)
        return self.out(x + scores.softmax(-1) @ x)


class Square(Masked):
    """Takes a mask of every pair of positions."""

    def forward(self, ids, mask):
        x = self.words(ids)
        if mask.shape[-2:] != (ids.shape[1], ids.shape[1]):
            raise ValueError("a square mask is wanted")
        scores = (x @ x.transpose(1, 2)).masked_fill(mask.bool() == bool(self.hiding), -1e9)
        return self.out(x + scores.softmax(-1) @ x)


class Weighing(Masked):
    """Its mask is a number that every word is shifted by, and hides nothing."""

    def forward(self, ids, mask):
        return self.out(torch.tanh(self.words(ids) + mask.float()[..., None]))


def read(kind, hiding):
    torch.manual_seed(0)
    subject = prepare_subject(kind(hiding))
    return subject.inputs, subject.inputs.argument("mask")


@pytest.mark.parametrize(("hiding", "role"), [(0, "mask"), (1, "hide_mask")])
def test_the_value_that_hides_is_measured(hiding, role):
    inputs, mask = read(Masked, hiding)
    assert (mask.role, mask.standing) == (role, Standing.MEASURED)
    assert inputs.padding == "mask"
    assert mask.source == f"positions where it is {hiding} have no effect on the output"


@pytest.mark.parametrize(
    ("hiding", "roles"), [(0, {"mask", "causal_mask"}), (1, {"hide_mask", "causal_hide_mask"})]
)
def test_so_is_that_of_a_square_mask(hiding, roles):
    inputs, mask = read(Square, hiding)
    assert mask.role in roles
    assert mask.standing is Standing.MEASURED
    assert inputs.padding == ""


def test_what_hides_nothing_is_a_mask_by_its_name_alone():
    _, mask = read(Weighing, 0)
    assert mask.standing is Standing.ASSUMED


@pytest.mark.parametrize(
    ("kind", "hiding"), [(Masked, 0), (Masked, 1), (Square, 0), (Square, 1), (Weighing, 0)]
)
def test_no_polarity_leads_to_an_error(kind, hiding):
    torch.manual_seed(0)
    report = tp.check(kind(hiding), progress=False, skip=["T1-MEM", "T1-SPEED", "T1-SAVE", "T1-MOVE"])
    assert [f.message for r in report.results for f in r.errors] == []
