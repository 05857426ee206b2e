from __future__ import annotations

from contextlib import suppress

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils import flop_counter

from tierproof.model.costs import peak_flops
from tierproof.model.costs.flops import _find_missing_formulas, count_attention_flops, count_flops
from tierproof.model.costs.peak_flops import find_peak_flops, measure_peak_flops
from tierproof.model.describe.prepare_subject import prepare_subject
from tierproof.model.preserve.preserve import preserve
from zoo.handwritten import HANDWRITTEN


def test_linear_and_convolution_per_module():
    model = nn.Sequential(nn.Conv1d(2, 4, 3, padding=1), nn.Flatten(), nn.Linear(32, 5))
    counted = count_flops(model, lambda: model(torch.zeros(3, 2, 8)))
    convolution, linear = 2 * 3 * 8 * 4 * 2 * 3, 2 * 3 * 32 * 5
    assert counted.total == convolution + linear
    assert counted.by_module == {"": counted.total, "0": convolution, "2": linear}
    assert sum(counted.by_operator.values()) == counted.total


def test_fused_attention_on_the_cpu_is_counted():
    q, k, v = (torch.zeros(2, 4, n, 8) for n in (5, 7, 7))
    model = nn.Identity()
    counted = count_flops(model, lambda: F.scaled_dot_product_attention(q, k, v))
    assert counted.total == 2 * 2 * 4 * 5 * 7 * 8 * 2 == count_attention_flops(q.shape, k.shape, v.shape)


def test_the_fast_path_of_the_encoder_layer_is_counted_and_left_on():
    model = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
    counted = count_flops(model, lambda: model(torch.zeros(1, 6, 16)))
    assert counted.total == 2 * 6 * (16 * 48 + 16 * 16 + 2 * 16 * 32) + 4 * 6 * 6 * 16
    assert torch.backends.mha.get_fastpath_enabled()


def test_recurrent_layers():
    for cls, gates in ((nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)):
        model = cls(8, 16)
        counted = count_flops(model, lambda model=model: model(torch.zeros(5, 2, 8)))
        assert counted.total == 2 * 5 * 2 * gates * (8 * 16 + 16 * 16), cls


@pytest.mark.parametrize("name", HANDWRITTEN)
def test_totals_and_modules_are_those_of_torchs_own_counter(name):
    model = HANDWRITTEN[name][0]().eval()
    with preserve(model):
        call = prepare_subject(model).make_call(seed=0)
        ours = _find_missing_formulas()
        for formula in ours.values():
            formula._get_raw = True  # takes tensors, not shapes
        counted = count_flops(model, lambda: call.run(model))
        torchs = flop_counter.FlopCounterMode(display=False, custom_mapping=ours)
        torch.backends.mha.set_fastpath_enabled(False)
        with torch.no_grad(), torchs:
            call.run(model)
    assert counted.total == torchs.get_total_flops() > 0
    prefix = type(model).__name__
    for path, flops in counted.by_module.items():
        assert sum(torchs.get_flop_counts()[f"{prefix}.{path}".rstrip(".")].values()) == flops
    assert counted.by_operator == {str(k): v for k, v in torchs.get_flop_counts()["Global"].items()}


def test_operators_that_are_made_of_others_are_taken_apart():
    model = nn.Linear(4, 3)

    def run():
        with torch.inference_mode():
            model(torch.zeros(2, 5, 4))

    assert count_flops(model, run).total == 2 * 2 * 5 * 4 * 3


def test_a_module_that_raises_is_left_again():
    class Falls(nn.Linear):
        def forward(self, x):
            super().forward(x)
            raise ValueError

    model = nn.ModuleDict({"falls": Falls(2, 2), "stands": nn.Linear(2, 2)})

    def run():
        with suppress(ValueError):
            model["falls"](torch.zeros(1, 2))
        model["stands"](torch.zeros(1, 2))

    assert count_flops(model, run).by_module == {"falls": 8, "stands": 8}


def test_jagged_tensors():
    model = nn.Linear(4, 3)
    ragged = torch.nested.nested_tensor([torch.ones(2, 4), torch.ones(5, 4)], layout=torch.jagged)
    assert count_flops(model, lambda: model(ragged)).total == 2 * 7 * 4 * 3


def test_the_peak_is_a_positive_rate():
    assert measure_peak_flops(torch.device("cpu")) > 1e8


def test_the_peak_is_measured_once_and_again_where_a_model_comes_near_it(monkeypatch):
    rates = [1e9, 3e9]
    monkeypatch.setattr(peak_flops, "_known", {})
    monkeypatch.setattr(peak_flops, "measure_peak_flops", lambda *_: rates.pop(0))
    cpu = torch.device("cpu")
    assert find_peak_flops(cpu) == 1e9
    assert find_peak_flops(cpu, at_least=1e8) == 1e9
    assert find_peak_flops(cpu, at_least=9e8) == 3e9
