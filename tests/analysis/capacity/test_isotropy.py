"""Isotropy equals the definitions, written out over all pairs and directions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from tierproof.analysis.capacity.isotropy import measure_isotropy


@seed(0)
@settings(max_examples=30, deadline=None)
@given(rows=st.integers(2, 30), width=st.integers(1, 8), number=st.integers(0, 10**6), shift=st.floats(0, 3))
def test_figures_are_the_definitions(rows, width, number, shift):
    table = torch.randn(rows, width, generator=torch.Generator().manual_seed(number)) + shift
    found = measure_isotropy("table", table)
    wide = table.double().numpy()
    pairs = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in itertools.combinations(wide, 2)]
    assert found.mean_cosine == pytest.approx(np.mean(pairs), abs=1e-5)
    directions = np.linalg.eigh(wide.T @ wide)[1].T
    sums = [np.exp(wide @ (sign * c)).sum() for c in directions for sign in (1, -1)]
    assert found.partition_ratio == pytest.approx(min(sums) / max(sums), rel=1e-4)


def test_rows_of_zeros_and_nan_are_left_out():
    table = torch.eye(8)
    table[0] = 0
    table[1, 0] = float("nan")
    assert measure_isotropy("table", table).mean_cosine == pytest.approx(0)
    assert measure_isotropy("table", torch.zeros(5, 3)) is None
