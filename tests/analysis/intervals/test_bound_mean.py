"""Intervals cover the true value as often as they say, and agree with closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from tierproof.analysis.intervals.bound_mean import bound_mean, bound_share
from tierproof.analysis.intervals.incomplete_beta import beta_quantile, incomplete_beta, student_quantile


def test_the_incomplete_beta_function_agrees_with_closed_forms():
    for x in (0.0, 0.1, 0.37, 0.5, 0.93, 1.0):
        assert incomplete_beta(1, 1, x) == pytest.approx(x, abs=1e-12)
        assert incomplete_beta(3, 1, x) == pytest.approx(x**3, abs=1e-12)
        assert incomplete_beta(1, 4, x) == pytest.approx(1 - (1 - x) ** 4, abs=1e-12)
        assert incomplete_beta(0.5, 0.5, x) == pytest.approx(2 / math.pi * math.asin(math.sqrt(x)), abs=1e-9)
        binomial = sum(math.comb(9, k) * x**k * (1 - x) ** (9 - k) for k in range(4, 10))
        assert incomplete_beta(4, 6, x) == pytest.approx(binomial, abs=1e-12)


def test_quantiles_agree_with_published_ones():
    assert student_quantile(0.975, 1) == pytest.approx(12.706, abs=1e-3)
    assert student_quantile(0.975, 9) == pytest.approx(2.2622, abs=1e-4)
    assert student_quantile(0.95, 30) == pytest.approx(1.6973, abs=1e-4)
    assert beta_quantile(2, 1, 0.25) == pytest.approx(0.5, abs=1e-9)


def test_the_exact_interval_agrees_with_its_closed_forms():
    none, every = bound_share(0, 16), bound_share(16, 16)
    assert none.low == 0
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 16))
    assert every.high == 1
    assert every.low == pytest.approx(0.025 ** (1 / 16))
    half = bound_share(5, 10)  # Clopper and Pearson's own table: 0.187 to 0.813
    assert (round(half.low, 3), round(half.high, 3)) == (0.187, 0.813)


@pytest.mark.parametrize("share", [0.03, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("count", [4, 16, 50])
def test_the_exact_interval_of_a_share_covers_it_at_least_as_often_as_it_says(share, count):
    covered = 0.0
    for hits in range(count + 1):
        interval = bound_share(hits, count)
        if interval.low <= share <= interval.high:
            covered += math.comb(count, hits) * share**hits * (1 - share) ** (count - hits)
    assert covered >= 0.95


@pytest.mark.parametrize("count", [6, 16])
def test_the_exact_interval_covers_means_of_shares_as_well(count):
    generator = torch.Generator().manual_seed(0)
    draws = torch.rand(400, count, generator=generator).square()  # mean 1/3
    rounded = (draws * 8).round() / 8
    truth = float((torch.rand(400_000, generator=generator).square() * 8).round().mean() / 8)
    covered = [i.low <= truth <= i.high for i in (bound_share(float(row.sum()), count) for row in rounded)]
    assert sum(covered) / len(covered) >= 0.95


@pytest.mark.parametrize("count", [8, 16, 32])
@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_the_resampled_interval_covers_the_mean_as_often_as_it_says(kind, count):
    generator = torch.Generator().manual_seed(count)
    runs = 400
    draws = (torch.randn if kind == "normal" else torch.rand)(runs, count, generator=generator)
    truth = 0.0 if kind == "normal" else 0.5
    covered = sum(i.low <= truth <= i.high for i in (bound_mean(row.tolist()) for row in draws))
    # Four standard errors of a simulation of 400 runs at 95%.
    assert 0.95 - 0.0436 <= covered / runs <= 0.95 + 0.0436


def test_equal_values_give_equal_intervals_and_none_is_refused():
    assert bound_mean([0.1, 0.7, 0.4]) == bound_mean([0.1, 0.7, 0.4])
    assert bound_mean([0.3]).low == bound_mean([0.3]).high == 0.3
    for refused in (lambda: bound_mean([]), lambda: bound_share(0, 0)):
        with pytest.raises(ValueError, match="at least one example"):
            refused()
