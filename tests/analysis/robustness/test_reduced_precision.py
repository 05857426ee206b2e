"""Int8 layers compute what PyTorch's own dynamically quantised ones do."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from tierproof.analysis.robustness.reduced_precision import Int8Linears


@pytest.mark.parametrize("seed", range(5))
def test_int8_layers_equal_those_of_torch(seed):
    if "x86" not in torch.backends.quantized.supported_engines:
        pytest.skip("the kernels of this machine round otherwise")
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
    ).eval()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        theirs = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
        values = torch.randn(16, 64)
        plain, wanted = model(values), theirs(values)
        with Int8Linears(model) as mode:
            found = model(values)
    assert mode.layers == 3
    # A value at the middle between two steps may be rounded either way.
    assert float((found - wanted).abs().median()) < 1e-6
    assert float((found - wanted).abs().max()) < 0.3 * float((wanted - plain).abs().max())


def test_layers_of_zeros_stay_as_they_are():
    model = nn.Linear(3, 2)
    nn.init.zeros_(model.weight)
    with Int8Linears(model), torch.no_grad():
        assert torch.equal(model(torch.zeros(1, 3)), model.bias[None])
