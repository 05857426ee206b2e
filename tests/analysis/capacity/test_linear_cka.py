"""CKA equals the traces of Song et al.'s unbiased estimator, written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from tierproof.analysis.capacity.linear_cka import align_linearly


def estimate_hsic(first, second):
    """Song et al. 2012, equation 5."""
    n = len(first)
    k, m = first @ first.T, second @ second.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)
    ones = np.ones(n)
    total = (ones @ k @ ones) * (ones @ m @ ones) / ((n - 1) * (n - 2))
    return (np.trace(k @ m) + total - 2 / (n - 2) * (ones @ k @ m @ ones)) / (n * (n - 3))


def compute_cka(first, second):
    own = estimate_hsic(first, first) * estimate_hsic(second, second)
    return estimate_hsic(first, second) / np.sqrt(own)


def draw(rows, width, number):
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(number), dtype=torch.float64)


@seed(0)
@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(8, 40),
    widths=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    number=st.integers(0, 10**6),
    shift=st.floats(-50, 50),
)
def test_cka_is_the_unbiased_estimate(rows, widths, number, shift):
    first, second = draw(rows, widths[0], number), draw(rows, widths[1], number + 1)
    second[:, 0] += first[:, 0]
    found = align_linearly([first, second + shift])
    expected = compute_cka(first.numpy(), second.numpy())
    if abs(expected) < 5:  # with few rows an estimate of a norm near zero means nothing
        assert found[0][1] == pytest.approx(expected, rel=1e-6, abs=1e-6)
        assert found[0][1] == pytest.approx(found[1][0])
    assert found[0][0] == pytest.approx(1)


def test_rotation_and_scale_change_nothing_and_constants_have_no_alignment():
    state = draw(64, 12, 0)
    turned = 7 * state @ torch.linalg.qr(draw(12, 12, 1)).Q
    found = align_linearly([state, turned, torch.ones(64, 12), 1000 * torch.ones(64, 12) + 1e-16])
    assert found[0][1] == pytest.approx(1)
    assert found[0][2] is None
    assert found[2][2] is None


def test_unrelated_states_are_not_aligned_although_there_are_more_channels_than_rows():
    found = align_linearly([draw(100, 500, 0), draw(100, 500, 1)])
    assert abs(found[0][1]) < 0.1
