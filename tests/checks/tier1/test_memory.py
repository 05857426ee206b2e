from __future__ import annotations

import json
import math

import pytest
import torch
from torch import nn

from tierproof.checks.check import CheckContext, Deadline
from tierproof.checks.tier1 import memory
from tierproof.core.json_value import to_json_value
from tierproof.model.describe.prepare_subject import prepare_subject
from tierproof.model.preserve.preserve import preserve
from tierproof.model.sizes import device_memory
from zoo.handwritten import HANDWRITTEN, LstmLm
from zoo.pretrained_configs import TINY


def _run(model, deadline=None, **options):
    with preserve(model):
        subject = prepare_subject(model, **options)
        output = memory.CHECK.run(CheckContext(subject, 0, deadline or Deadline()))
    json.dumps(to_json_value(output.document), allow_nan=False)
    return output


def _codes(output):
    return [finding.code for finding in output.findings]


@pytest.mark.parametrize("name", HANDWRITTEN)
def test_a_healthy_model_has_numbers_that_add_up_and_no_warning(name):
    model = HANDWRITTEN[name][0]()
    measured = _run(model).document
    breakdown = measured["breakdown_bytes"]
    assert set(breakdown) == {"parameters", "buffers", "gradients", "optimizer", "activations"}
    assert measured["predicted_peak_bytes"] == sum(breakdown.values())
    assert breakdown["parameters"] == sum(p.nbytes for p in model.parameters())
    assert breakdown["optimizer"] >= 2 * breakdown["gradients"]
    assert breakdown["activations"] > 0
    assert measured["measured_peak_bytes"] > breakdown["parameters"] + breakdown["optimizer"]
    if name != "lstm_lm":
        assert measured["fit_relative_error"] < 1e-6


def test_the_forecast_equals_a_measurement_at_that_size():
    model = HANDWRITTEN["char_gpt"][0]()
    measured = _run(model, inputs=torch.zeros(2, 12, dtype=torch.long)).document
    line = next(f for f in measured["forecast"] if (f["batch"], f["length"]) == (4, 64))
    there = _run(model, inputs=torch.zeros(4, 64, dtype=torch.long)).document
    assert line["activation_bytes"] == pytest.approx(there["breakdown_bytes"]["activations"], rel=1e-3)
    assert line["training_bytes"] == pytest.approx(there["predicted_peak_bytes"], rel=1e-3)
    assert max(f["length"] for f in measured["forecast"]) == 64  # the longest it declares


def test_a_frozen_model_takes_no_gradients():
    model = HANDWRITTEN["char_gpt"][0]().requires_grad_(False)
    output = _run(model)
    assert _codes(output) == ["T1-MEM-004"]
    breakdown = output.document["breakdown_bytes"]
    assert (breakdown["gradients"], breakdown["optimizer"], breakdown["activations"]) == (0, 0, 0)


def test_more_than_the_device_has_is_a_warning(monkeypatch):
    monkeypatch.setattr(memory, "find_device_memory_bytes", lambda device: 1000)
    output = _run(HANDWRITTEN["mlp"][0]())
    assert _codes(output) == ["T1-MEM-001"]
    assert output.findings[0].evidence["device_memory_bytes"] == 1000


def test_equal_buffers_on_storages_of_their_own_are_named(monkeypatch):
    monkeypatch.setattr(memory, "DUPLICATE_BYTES", 64)

    class Masked(nn.Module):
        def __init__(self, shared):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
            mask = torch.ones(4, 4)
            for layer in self.layers:
                layer.register_buffer("mask", mask if shared else mask.clone())
            self.register_buffer("other", torch.zeros(4, 4))

        def forward(self, x):
            for layer in self.layers:
                x = layer(x) @ layer.mask
            return x

    finding = next(f for f in _run(Masked(shared=False), inputs=torch.zeros(2, 4)).findings)
    assert (finding.code, finding.where, finding.evidence["wasted_bytes"]) == ("T1-MEM-002", "layers.0", 128)
    assert "T1-MEM-002" not in _codes(_run(Masked(shared=True), inputs=torch.zeros(2, 4)))


class _Stepping(nn.Module):
    """Keeps memory in steps of the length, as chunked and padded attention do; or fails off its one size."""

    def __init__(self, only=None):
        super().__init__()
        self.embed = nn.Embedding(10, 8)
        self.only = only

    def forward(self, tokens):
        if self.training and self.only and tokens.size(1) != self.only:
            raise ValueError("only one length in training")
        x = self.embed(tokens)
        if tokens.size(1) > 24:
            x = x.exp().exp().log1p().exp().log1p()
        return x


def test_what_does_not_fit_is_not_forecast():
    output = _run(_Stepping(), inputs=torch.zeros(2, 40, dtype=torch.long))
    assert _codes(output) == ["T1-MEM-003"]
    assert "forecast" not in output.document
    assert "a formula in 1, B, T" in output.document["forecast_unavailable"]
    output = _run(_Stepping(only=12), inputs=torch.zeros(2, 12, dtype=torch.long))
    assert "only one length" in output.findings[0].message


def test_no_forecast_without_time():
    output = _run(HANDWRITTEN["mlp"][0](), deadline=Deadline(-math.inf))
    assert "time budget" in output.document["forecast_unavailable"]


def test_a_model_without_a_length_is_forecast_over_batches():
    measured = _run(HANDWRITTEN["tiny_vit"][0]()).document
    assert {line["length"] for line in measured["forecast"]} == {None}
    assert measured["length"] is None


def test_device_memory(monkeypatch, tmp_path):
    assert device_memory.find_device_memory_bytes(torch.device("cpu")) > 1 << 20
    assert device_memory.find_device_memory_bytes(torch.device("meta")) is None
    limit = tmp_path / "memory.max"
    limit.write_text("12345\n")
    monkeypatch.setattr(device_memory, "_CGROUP_LIMITS", (str(limit),))
    assert device_memory.find_device_memory_bytes(torch.device("cpu")) == 12345
    limit.write_text("max\n")
    assert device_memory.find_device_memory_bytes(torch.device("cpu")) > 12345
    monkeypatch.delattr(device_memory.os, "sysconf")
    assert device_memory.find_device_memory_bytes(torch.device("cpu")) is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_allocator_peak_on_cuda_is_near_the_prediction():
    model = HANDWRITTEN["char_gpt"][0]().cuda()
    measured = _run(model).document
    assert measured["peak_source"] == "allocator"
    assert measured["measured_peak_bytes"] > measured["breakdown_bytes"]["parameters"]


class AllPairs(nn.Module):
    """A norm that keeps products of all positions with all positions."""

    def __init__(self, norm):
        super().__init__()
        self.norm = norm

    def forward(self, h):
        for _ in range(8):
            h = h + 1e-3 * (h @ h.transpose(1, 2)).tanh().sum(-1, keepdim=True)
        return self.norm(h)


def test_a_recurrent_model_whose_memory_grows_with_the_square():
    model = TINY["mamba"][0]()
    model.backbone.norm_f = AllPairs(model.backbone.norm_f)
    (finding,) = [f for f in _run(model).findings if f.code == "T1-MEM-005"]
    assert finding.severity == "warning"
    assert finding.evidence["length_exponent"] > 1.3


@pytest.mark.parametrize("build", [LstmLm, TINY["mamba"][0], TINY["gpt2"][0]])
def test_other_models_are_not_told_that_they_grow(build):
    assert "T1-MEM-005" not in _codes(_run(build()))
