from __future__ import annotations

import json
import math

import pytest
import torch
from torch import nn

from tierproof.checks.check import CheckContext, Deadline
from tierproof.checks.tier1 import speed
from tierproof.core.json_value import to_json_value
from tierproof.model.describe.prepare_subject import prepare_subject
from tierproof.model.preserve.preserve import preserve
from zoo.handwritten import HANDWRITTEN


def _run(model, deadline=None, **options):
    with preserve(model):
        subject = prepare_subject(model, **options)
        output = speed.CHECK.run(CheckContext(subject, 0, deadline or Deadline()))
    json.dumps(to_json_value(output.document), allow_nan=False)
    assert output.findings == ()
    return output.document


@pytest.mark.parametrize("name", ["char_gpt", "tiny_vit", "seq2seq"])
def test_numbers_agree_with_each_other(name):
    measured = _run(HANDWRITTEN[name][0]().requires_grad_(False))
    latencies = measured["latencies_ms"]
    assert speed.FEWEST_RUNS <= len(latencies) <= speed.MOST_RUNS
    assert (
        min(latencies) <= measured["median_ms"] <= measured["p90_ms"] <= measured["p99_ms"] <= max(latencies)
    )
    assert measured["samples_per_s"] == pytest.approx(measured["batch"] / measured["median_ms"] * 1e3)
    assert measured["flops"] > 0
    assert measured["peak_share"] == measured["achieved_flops_per_s"] / measured["peak_flops_per_s"]
    if name == "tiny_vit":
        assert measured["tokens_per_s"] is None
    else:
        assert measured["tokens_per_s"] == pytest.approx(measured["samples_per_s"] * measured["length"])


def test_slow_passes_are_few_and_a_used_up_budget_leaves_one(monkeypatch):
    monkeypatch.setattr(speed, "LONGEST_S", 0)
    assert len(_run(HANDWRITTEN["mlp"][0]())["latencies_ms"]) == speed.FEWEST_RUNS
    assert len(_run(HANDWRITTEN["mlp"][0](), Deadline(-math.inf))["latencies_ms"]) == 1


def test_percentiles_are_interpolated():
    assert speed.percentile([3, 1, 2], 0.5) == 2
    assert speed.percentile([1, 2], 0.9) == pytest.approx(1.9)
    assert speed.percentile([7], 0.99) == 7


def test_the_peak_is_measured_in_the_dtype_of_most_parameters():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.big = nn.Linear(8, 8, dtype=torch.bfloat16)
            self.small = nn.Linear(8, 2)

        def forward(self, x):
            return self.small(self.big(x.bfloat16()).float())

    with preserve(model := Mixed()):
        subject = prepare_subject(model, inputs=torch.zeros(2, 8))
    assert speed._find_dtype(subject) is torch.bfloat16
