from __future__ import annotations

import math
import random

import pytest
import torch

from tierproof.analysis.attribution.rank_agreement import correlate_ranks


def test_it_is_the_correlation_of_ranks():
    generator = random.Random(0)
    for size in (3, 10, 50):
        one, other = ([generator.gauss(0, 1) for _ in range(size)] for _ in range(2))
        ranks = torch.tensor([one, other]).argsort(1).argsort(1).double()
        assert correlate_ranks(one, other) == pytest.approx(float(torch.corrcoef(ranks)[0, 1]), abs=1e-9)


def test_ties_share_their_mean_rank():
    # Ranks 0.5 0.5 2 3 against 0 1 2 3.
    assert correlate_ranks([1, 1, 2, 3], [1, 2, 3, 4]) == pytest.approx(4.5 / math.sqrt(4.5 * 5))


@pytest.mark.parametrize("one", [[1.0, 2.0], [1.0, 1.0, 1.0], [1.0, math.nan, 2.0]])
def test_what_has_no_ranks_has_no_correlation(one):
    assert correlate_ranks(one, list(range(len(one)))) is None
