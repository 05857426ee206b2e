"""What two sets share is read off their rows and their features."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tierproof.training.audit.batches.compare_sets import compare_sets


def draw(rows: int, seed: int) -> Tensor:
    return torch.randn(rows, 5, generator=torch.Generator().manual_seed(seed)) * 3 + 7


@pytest.mark.parametrize("shared", [0, 1, 7])
def test_shared_rows_are_counted(shared: int) -> None:
    trained, other = draw(20, 0), draw(12, 1)
    held_out = torch.cat([trained[:shared], other])
    facts = compare_sets([trained[:10], trained[10:]], [held_out])
    assert (facts.held_out, facts.shared) == (12 + shared, shared)


def test_a_normalisation_over_both_sets_is_told_from_one_over_the_trained_set() -> None:
    trained, held_out = draw(40, 0), draw(24, 1)
    both = torch.cat([trained, held_out]).double()
    together = (both - both.mean(0)) / both.std(0, correction=0)
    facts = compare_sets([(together[:40],)], [(together[40:],)])
    assert facts.fitted_together == ("0",)
    mean, spread = trained.double().mean(0), trained.double().std(0, correction=0)
    apart = compare_sets([((trained - mean) / spread,)], [((held_out - mean) / spread,)])
    assert apart.fitted_together == ()
    assert compare_sets([(trained,)], [(held_out,)]).fitted_together == ()


def test_batches_without_rows_are_left_out() -> None:
    assert (
        compare_sets([{"a": torch.zeros(3, 2), "b": torch.zeros(2)}], [{"a": torch.zeros(3, 2)}]).shared == 0
    )
