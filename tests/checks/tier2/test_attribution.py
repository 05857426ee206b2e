from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

import tierproof as tp
from analysis.attribution.planted import Deaf, Detached
from tierproof.core.check_result import Outcome
from tierproof.plots.registry import draw_figure
from zoo.handwritten import CharGPT

CODE = "T2-ATTRIBUTION"


def check(model, **options):
    (result,) = tp.check(model, only=[CODE], progress=False, **options).results
    return result


def codes(result):
    return {finding.code.removeprefix(f"{CODE}-"): finding.severity.value for finding in result.findings}


@pytest.fixture(autouse=True)
def no_captum(monkeypatch):
    monkeypatch.setitem(sys.modules, "captum", None)


def test_a_healthy_model_passes_and_captum_is_named():
    result = check(CharGPT())
    assert result.outcome is Outcome.PASSED
    assert codes(result) == {"006": "info"}
    assert "--extra tier2" in result.findings[0].hint
    assert draw_figure(CODE, result.measurements).get_label()


def test_an_answer_that_depends_on_nothing_is_a_warning():
    assert codes(check(Deaf()))["002"] == "warning"


def test_an_answer_behind_zeros_is_none():
    class Waiting(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(20, 8)
            self.head = nn.Linear(8, 3)
            nn.init.zeros_(self.head.weight)

        def forward(self, tokens):
            return self.head(self.embed(tokens).mean(1))

    assert "002" not in codes(check(Waiting()))


def test_a_detached_input_is_told():
    torch.manual_seed(0)
    assert codes(check(Detached()))["003"] == "info"


def test_a_gradient_of_nan_is_a_warning():
    class Rooted(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(20, 8)
            self.head = nn.Linear(8, 3)

        def forward(self, tokens):
            x = self.embed(tokens)
            length = ((x - x[:, :1]) ** 2).sum(-1).sqrt()  # zero at the first position
            return self.head(x.mean(1)) + length.sum(1, keepdim=True)

    assert codes(check(Rooted()))["001"] == "warning"


def test_nan_weights_are_skipped_with_a_reason():
    model = CharGPT()
    nn.init.constant_(model.norm.weight, float("nan"))
    result = check(model)
    assert result.outcome is Outcome.SKIPPED
    assert "NaN" in result.reason
