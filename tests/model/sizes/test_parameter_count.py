from __future__ import annotations

import torch
from torch import nn

from tierproof.model.sizes.parameter_count import StorageUnion, count_parameters


def test_a_tie_counts_once_and_is_named():
    model = nn.Module()
    model.embed = nn.Embedding(10, 4)
    model.head = nn.Linear(4, 10, bias=False)
    model.head.weight = model.embed.weight
    count = count_parameters(model)
    assert (count.parameters, count.parameter_bytes) == (40, 160)
    assert count.ties == (("embed.weight", "head.weight"),)


def test_two_parameters_on_one_storage_count_once_where_they_overlap():
    whole = torch.zeros(10)
    model = nn.Module()
    model.left = nn.Parameter(whole[:6])
    model.right = nn.Parameter(whole[4:])
    model.register_buffer("view", whole[2:5])
    count = count_parameters(model)
    assert (count.parameters, count.bytes, count.buffers) == (10, 40, 0)


def test_frozen_parameters_buffers_and_bytes_per_dtype():
    model = nn.BatchNorm1d(4).to(torch.float64)
    model.bias.requires_grad_(False)
    count = count_parameters(model)
    assert (count.parameters, count.trainable, count.trainable_bytes) == (8, 4, 32)
    assert count.buffer_bytes == 4 * 8 * 2 + 8
    assert count.bytes == 64 + 72


def test_meta_lazy_sparse_and_empty():
    model = nn.Sequential(nn.Linear(3, 5, device="meta"), nn.LazyLinear(2))
    count = count_parameters(model)
    assert count.parameters == 20
    assert count.uninitialized == ("1.weight", "1.bias")
    model = nn.Module()
    model.register_buffer("coo", torch.eye(3).to_sparse())
    model.register_buffer("csr", torch.eye(3).to_sparse_csr())
    model.register_buffer("csc", torch.eye(3).to_sparse_csc())
    assert count_parameters(model).buffers == (6 + 3) + 2 * (4 + 3 + 3)
    assert count_parameters(nn.Identity()).bytes == 0


def test_expanded_tensors_count_what_they_hold():
    assert StorageUnion().add_all([torch.zeros(1).expand(100)]) == (1, 4)
    assert StorageUnion().add_all([torch.zeros(3).to_mkldnn()]) == (0, 0)
