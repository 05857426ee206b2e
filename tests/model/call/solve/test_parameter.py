"""What a docstring says of a parameter's axes, and what only looks like it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tierproof import check
from tierproof.core.verdict import Verdict
from tierproof.model.call.solve.parameter import read_parameters


def read_axes(docstring: str) -> tuple[str, ...]:
    class Documented(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    Documented.forward.__doc__ = docstring
    (parameter,) = read_parameters(Documented())
    return parameter.dims


@pytest.mark.parametrize(
    ("docstring", "axes"),
    [
        ("x: images of shape (B, 3, H, W)", ("B", "3", "H", "W")),
        ("Args:\n    x (Tensor): [B, N, C] of tokens.", ("B", "N", "C")),
        ("Takes x (b, n, d).", ("b", "n", "d")),
        ("x (torch.Tensor): shape (B, C, L)\n    mask (torch.Tensor): shape (B, L)", ("B", "C", "L")),
        ("x: shape (L, D) for one sequence, (N, L, D) for a batch", ()),
        ("Inputs: x, (h_0, c_0)", ()),
        (">>> x = torch.randn(5, 3, 10)", ()),
        ("x: probabilities in [0, 1]", ()),
    ],
)
def test_axes_are_read_where_a_docstring_gives_them(docstring, axes):
    assert read_axes(docstring) == axes


@pytest.mark.parametrize(
    "model",
    [nn.LSTM(8, 8), nn.GRU(8, 8, bidirectional=True), nn.MultiheadAttention(8, 2)],
    ids=lambda m: type(m).__name__,
)
def test_a_module_that_also_takes_one_sample_is_given_a_batch(model):
    report = check(model, only=["T1-BATCH", "T1-INPUT"], progress=False)
    assert report.verdict is Verdict.PASS, report
    assert "[length, batch, 8]" in report.model.inputs[0]
