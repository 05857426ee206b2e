"""A backward pass that the model makes impossible is told once, and crashes no check."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import tierproof


class Overwrites(nn.Module):
    """Adds in place to what the ReLU needs for its gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.place = nn.Linear(6, 6), nn.Parameter(torch.ones(6))

    def forward(self, x: Tensor) -> Tensor:
        held = self.first(x).relu()
        held += self.place
        return held


def test_it_is_an_error_of_the_modes_and_the_others_are_skipped():
    report = tierproof.check(Overwrites(), progress=False, only=["T1-MODE", "T1-GRAD"])
    outcomes = {result.code: result.outcome.value for result in report.results}
    assert outcomes == {"T1-MODE": "failed", "T1-GRAD": "skipped"}


def test_alone_a_check_that_needs_it_does_not_pass():
    report = tierproof.check(Overwrites(), progress=False, only=["T1-GRAD"])
    assert report.results[0].outcome.value == "errored"
    assert report.verdict.value == "inconclusive"
