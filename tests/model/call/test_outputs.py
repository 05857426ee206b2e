"""The answer in an output that is built otherwise than in evaluation mode."""

from __future__ import annotations

import pytest
import torch

from tierproof.model.call.outputs import OutputPlan, iterate_tensors

PLAN = OutputPlan("", ("batch", 10), "logits")


def test_the_answer_is_followed_by_its_axes():
    loss, answer = torch.ones(()), torch.ones(2, 10)
    assert PLAN.follow(answer) is answer
    assert PLAN.follow((loss, torch.ones(2, 4), answer)) is answer
    assert PLAN.follow({"aux": torch.ones(2, 3)}).shape == (2, 3)
    with pytest.raises(KeyError):
        PLAN.follow(())
    with pytest.raises(KeyError):
        PLAN.select((answer, answer))


def test_a_sparse_output_counts_as_the_dense_one():
    ((_, tensor),) = iterate_tensors(torch.eye(3).to_sparse())
    assert torch.equal(tensor, torch.eye(3))
