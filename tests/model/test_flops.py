from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from tierproof.model.flops import count_attention_flops, count_flops
from tierproof.model.peak_flops import measure_peak_flops


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


def test_the_peak_is_a_positive_rate():
    assert measure_peak_flops(torch.device("cpu")) > 1e8
