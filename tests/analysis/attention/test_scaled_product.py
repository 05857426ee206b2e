from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from tierproof.analysis.attention.attention_pattern import AttentionPattern
from tierproof.analysis.attention.scaled_product import ScaledProduct

BATCH, HEADS, QUERIES, KEYS, WIDTH = 2, 4, 5, 7, 8


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


MASKS = {
    "none": None,
    "two axes": draw(QUERIES, KEYS) > -0.5,
    "by row": (draw(BATCH, 1, 1, KEYS) > -1.0),
    "by head": draw(1, HEADS, QUERIES, KEYS) > -0.5,
    "added": draw(BATCH, HEADS, QUERIES, KEYS, seed=5),
    "minus infinity": torch.zeros(QUERIES, KEYS, dtype=torch.float64).masked_fill(
        torch.ones(QUERIES, KEYS).triu(1).bool(), float("-inf")
    ),
    "a row without keys": torch.ones(QUERIES, KEYS).bool() & (torch.arange(QUERIES) != 2)[:, None],
}


@pytest.mark.parametrize("scale", [None, 0.3, -0.2])
@pytest.mark.parametrize("shared", [1, 2, 4])
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_weights_times_values_are_what_pytorch_computes(mask, shared, scale):
    query, key = draw(BATCH, HEADS, QUERIES, WIDTH), draw(BATCH, HEADS // shared, KEYS, WIDTH, seed=1)
    value = draw(BATCH, HEADS // shared, KEYS, WIDTH, seed=2)
    product = ScaledProduct(query, key, mask, False, 1 / math.sqrt(WIDTH) if scale is None else scale)
    weights = product.read(slice(0, HEADS), slice(0, QUERIES))
    expected = scaled_dot_product_attention(
        query, key, value, attn_mask=mask, scale=scale, enable_gqa=shared > 1
    )
    torch.testing.assert_close(weights @ value.repeat_interleave(shared, 1), expected)


def test_causal_rows_see_no_later_key():
    query, key, value = draw(1, 2, 5, WIDTH), draw(1, 2, 5, WIDTH, seed=1), draw(1, 2, 5, WIDTH, seed=2)
    weights = ScaledProduct(query, key, None, True, 1 / math.sqrt(WIDTH)).read(slice(0, 2), slice(0, 5))
    assert weights.shape[-1] == 5
    torch.testing.assert_close(
        weights @ value, scaled_dot_product_attention(query, key, value, is_causal=True)
    )
    assert weights.triu(1).count_nonzero() == 0


@settings(max_examples=40, deadline=None)
@given(
    heads=st.tuples(st.integers(0, 3), st.integers(1, 4)),
    rows=st.tuples(st.integers(0, 4), st.integers(1, 5)),
    causal=st.booleans(),
    mask=st.sampled_from(sorted(MASKS)),
)
def test_any_part_is_that_part_of_the_whole(heads, rows, causal, mask):
    query, key = draw(BATCH, HEADS, QUERIES, WIDTH), draw(BATCH, HEADS, KEYS, WIDTH, seed=1)
    product = ScaledProduct(query, key, None if causal else MASKS[mask], causal, 0.5)
    some = slice(heads[0], min(heads[0] + heads[1], HEADS))
    stretch = slice(rows[0], min(rows[0] + rows[1], QUERIES))
    whole = product.read(slice(0, HEADS), slice(0, QUERIES))
    part = product.read(some, stretch)
    torch.testing.assert_close(part, whole[:, some, stretch, : part.shape[-1]])
    assert whole[:, some, stretch, part.shape[-1] :].count_nonzero() == 0


def test_blocks_put_together_are_the_whole(monkeypatch):
    product = ScaledProduct(draw(2, 3, 50, WIDTH), draw(2, 3, 40, WIDTH, seed=1), None, False, 1.0)
    pattern = AttentionPattern("a", "softmax", 2, 3, 50, 40, product.read)
    whole = pattern.read_all()
    assert len(list(pattern.iterate_blocks())) == 1
    monkeypatch.setattr("tierproof.analysis.attention.attention_pattern._BLOCK_NUMBERS", 2000)
    blocks = list(pattern.iterate_blocks())
    assert len(blocks) > 5
    torch.testing.assert_close(torch.cat([block for _, block in blocks], 2), whole)
