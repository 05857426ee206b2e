"""Scales in front of attention: a factor belongs to a sum only if all its terms carry it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tierproof.model.observe.attention_capture import AttentionCapture
from tierproof.model.observe.execution_trace import ExecutionTrace

WIDTH = 8


def capture(prepare):
    """The scores of one fused attention whose queries `prepare` makes of two projections."""
    torch.manual_seed(0)
    first, second = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
    given = torch.randn(2, 5, WIDTH)
    with ExecutionTrace(first) as trace, AttentionCapture(trace) as seen, torch.no_grad():
        F.scaled_dot_product_attention(prepare(first(given), second(given)), second(given), given)
    (scores,) = seen.scores
    return scores


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_a_correction_beside_a_projection_is_not_the_scale_of_the_scores(factor):
    assert capture(lambda a, b: a + factor * b).relative_scale == pytest.approx(1)
    assert capture(lambda a, b: factor * b + a).relative_scale == pytest.approx(1)
    assert capture(lambda a, b: a - b * factor).relative_scale == pytest.approx(1)


def test_a_factor_on_the_whole_sum_is():
    assert capture(lambda a, b: (a + b) * 0.5).relative_scale == pytest.approx(0.5)
    assert capture(lambda a, b: a * 0.5 + b * 0.5).relative_scale == pytest.approx(0.5)


def test_with_a_bias_after_the_factor_the_scale_is_unknown():
    assert capture(lambda a, _: a * 0.5 + torch.ones(WIDTH)).relative_scale is None
