from __future__ import annotations

import math

import pytest
import torch

from tierproof.analysis.attention.attention_pattern import AttentionPattern
from tierproof.analysis.attention.measure_pattern import measure_pattern

BATCH, HEADS, LENGTH = 2, 3, 12


def make_pattern(weights):
    batch, heads, queries, keys = weights.shape
    return AttentionPattern(
        "a", "softmax", batch, heads, queries, keys, lambda some, rows: weights[:, some, rows]
    )


def draw(queries=LENGTH, keys=LENGTH, causal=True):
    scores = 2 * torch.randn(
        BATCH, HEADS, queries, keys, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    if causal:
        scores = scores.masked_fill(torch.ones(queries, keys).triu(1).bool(), float("-inf"))
    return scores.softmax(-1)


@pytest.mark.parametrize("numbers", [40, 100, 1 << 20])
def test_figures_equal_their_formulas(numbers, monkeypatch):
    monkeypatch.setattr("tierproof.analysis.attention.attention_pattern._BLOCK_NUMBERS", numbers)
    weights, period = draw(), LENGTH // 2
    found = measure_pattern(make_pattern(weights), period)
    for head, one in enumerate(found.heads):
        maps = weights[:, head]
        entropy = -(maps * maps.clamp(min=1e-300).log()).sum(-1)
        assert one.entropy_nats == pytest.approx(float(entropy.mean()))
        shares = [float(entropy[:, q].mean()) / math.log(q + 1) for q in range(1, LENGTH)]
        assert one.relative_entropy == pytest.approx(sum(shares) / len(shares))
        assert one.largest == pytest.approx(float(maps.amax(-1).mean()))
        assert one.first == pytest.approx(float(maps[..., 0].mean()))
        pairs = [(q, k) for q in range(LENGTH) for k in range(LENGTH)]
        mean = maps.mean(0)
        assert one.distance == pytest.approx(sum(float(mean[q, k]) * abs(q - k) for q, k in pairs) / LENGTH)
        assert one.local == pytest.approx(
            sum(float(mean[q, k]) for q, k in pairs if abs(q - k) <= 2) / LENGTH
        )
        assert one.diagonal == pytest.approx(float(mean.diagonal().mean()))
        assert one.previous == pytest.approx(float(mean.diagonal(-1).mean()))
        later = range(period, LENGTH)
        assert one.induction == pytest.approx(sum(float(mean[q, q - period + 1]) for q in later) / len(later))
        assert one.duplicate == pytest.approx(sum(float(mean[q, q - period]) for q in later) / len(later))
    flat = weights.transpose(0, 1).flatten(1)
    expected = torch.nn.functional.cosine_similarity(flat[:, None], flat[None], dim=-1)
    torch.testing.assert_close(torch.tensor(found.agreement, dtype=expected.dtype), expected)
    assert found.sum_error < 1e-12


def test_heads_of_known_shape():
    identity = torch.eye(LENGTH).expand(1, 1, -1, -1)
    uniform = torch.full((1, 1, LENGTH, LENGTH), 1 / LENGTH)
    previous = torch.zeros(1, 1, LENGTH, LENGTH)
    previous[..., range(1, LENGTH), range(LENGTH - 1)] = 1
    previous[..., 0, 0] = 1
    sink = torch.zeros(1, 1, LENGTH, LENGTH)
    sink[..., 0] = 1
    found = measure_pattern(make_pattern(torch.cat([identity, uniform, previous, sink], 1)))
    first, second, third, fourth = found.heads
    assert (first.diagonal, first.entropy_nats, first.distance) == (1, 0, 0)
    assert second.relative_entropy == pytest.approx(1)
    assert third.previous == 1
    assert fourth.first == 1
    assert fourth.relative_entropy == 0
    assert found.agreement[0][3] == pytest.approx(1 / LENGTH)


def test_cross_attention_has_no_positions_in_common():
    found = measure_pattern(make_pattern(draw(LENGTH, LENGTH + 3, causal=False)), 6)
    assert all(one.distance is None and one.diagonal is None and one.induction is None for one in found.heads)


def test_a_row_without_keys_counts_for_nothing_that_divides():
    weights = draw()
    weights[:, :, 3] = 0
    found = measure_pattern(make_pattern(weights))
    assert found.sum_error < 1e-12
    assert all(math.isfinite(one.relative_entropy) for one in found.heads)
