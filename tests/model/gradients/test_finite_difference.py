from __future__ import annotations

import pytest
import torch

from tierproof.model.gradients.finite_difference import (
    FINER_STEPS_FLOAT64,
    STEPS_FLOAT64,
    compare_along_direction,
)


def compare(function, point, finer=FINER_STEPS_FLOAT64, factor=1.0):
    point = point.double().requires_grad_()
    (gradient,) = torch.autograd.grad(function(point), point)
    return compare_with(gradient * factor, function, point.detach(), finer)


def compare_with(gradient, function, point, finer=FINER_STEPS_FLOAT64):
    """Compare differences of the function with a gradient that need not be its own."""
    return compare_along_direction(
        lambda replaced: float(function(replaced["p"])),
        {"p": point},
        {"p": gradient},
        ["p"],
        still_rows={},
        seed=1,
        steps=STEPS_FLOAT64,
        finer_steps=finer,
        tolerance=5e-3,
    )


def steep(p):
    """Saturates within 1e-7, as the norm of a vector near zero does."""
    return torch.tanh(p * 1e7).sum()


def test_a_slope_that_only_finer_steps_see_is_no_mismatch():
    blind = compare(steep, torch.zeros(1), finer=())
    assert blind.mismatch > 0.9
    assert blind.spread < 0.1  # they agree with each other, and all of them are wrong
    assert compare(steep, torch.zeros(1)).mismatch < 5e-3


@pytest.mark.parametrize("function", [steep, lambda p: (p**3).sum(), torch.special.entr, torch.exp])
def test_a_wrong_backward_is_seen_at_every_step(function):
    point = torch.tensor([0.0 if function is steep else 0.7])
    result = compare(lambda p: function(p).sum(), point, factor=1.5)
    assert result.mismatch > 0.1


def test_at_a_kink_there_is_no_derivative_to_compare_with():
    # max(p, 0) at 0 has the slopes 0 and 1, and differences give their mean: backward may say 0.
    here = torch.zeros(1, dtype=torch.float64)
    result = compare_with(torch.zeros_like(here), lambda p: p.relu().sum(), here)
    assert result.mismatch > 0.5
    assert result.spread >= result.mismatch


@pytest.mark.parametrize(("slope", "trusted"), [(1e-6, False), (1e-2, True)])
def test_a_slope_below_the_rounding_of_float32_is_no_mismatch(slope, trusted):
    here = torch.ones(1, dtype=torch.float64)
    result = compare_with(slope * here, lambda p: 4.0, here)
    assert (result.mismatch > result.spread) is trusted
