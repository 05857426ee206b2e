"""T1-MODE: what evaluation leaves behind, and what only moves in training."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from tierproof import check


class ForgottenDropout(nn.Module):
    """Evaluation overwrites the probability, and training never gets it back."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.p = nn.Linear(8, 8), 0.5

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            self.p = 0.0
        return nn.functional.dropout(self.layer(x), self.p)


def find_codes(model: nn.Module) -> list[str]:
    report = check(model, only=["T1-MODE"], progress=False)
    return [finding.code for result in report.results for finding in result.findings]


def test_dropout_that_evaluation_switches_off_for_good_is_an_error():
    torch.manual_seed(0)
    assert find_codes(ForgottenDropout()) == ["T1-MODE-001"]


def test_a_power_iteration_that_settles_is_not_taken_for_randomness():
    for seed in range(3):
        torch.manual_seed(seed)
        assert find_codes(nn.Sequential(spectral_norm(nn.Linear(8, 8)), nn.Tanh(), nn.Linear(8, 4))) == []
