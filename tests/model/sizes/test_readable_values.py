"""Values of tensors of every kind, as plain ones."""

from __future__ import annotations

import torch

from tierproof.model.sizes.readable_values import make_dense, read_values
from tierproof.model.sizes.value_range import measure_range


def test_values_inside_vmap_and_on_meta_cannot_be_read():
    seen = []
    torch.func.vmap(lambda row: seen.append(read_values(row)) or row)(torch.ones(2, 3))
    assert seen == [None]
    assert read_values(torch.ones(2, device="meta")) is None


def test_sparse_small_and_quantised_tensors_are_read():
    assert read_values(torch.eye(3).to_sparse()).tolist() == [1, 1, 1]
    assert torch.equal(make_dense(torch.eye(3).to_sparse()), torch.eye(3))
    assert make_dense(torch.ones(2).to(torch.float8_e4m3fn)).dtype is torch.float32
    rounded = torch.quantize_per_tensor(torch.tensor([1.0, 2.0]), 0.5, 0, torch.qint8)
    assert make_dense(rounded).tolist() == [1, 2]
    assert measure_range([torch.eye(3).to_sparse() * 4]).largest == 4
