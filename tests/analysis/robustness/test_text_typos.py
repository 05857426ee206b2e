"""Typing errors are small, and as many as asked for."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tierproof.analysis.robustness.text_typos import add_typos, count_words
from tierproof.analysis.robustness.value_change import add_noise, brighten, shift_along

import torch  # isort: skip

TEXTS = st.lists(st.text("abcdéß1 ,.", min_size=1, max_size=8), min_size=1, max_size=8).map(" ".join)


@given(TEXTS, st.integers(0, 1000))
def test_one_error_changes_the_length_by_one_at_most(text, seed):
    mistyped = add_typos(text, 1, seed)
    assert abs(len(mistyped) - len(text)) <= 1
    assert (mistyped == text) == (count_words(text) == 0)
    assert add_typos(text, 0, seed) == text


@given(TEXTS, st.integers(0, 5), st.integers(0, 1000))
def test_as_many_words_change_as_asked_for(text, count, seed):
    mistyped = add_typos(text, count, seed)
    assert abs(len(mistyped) - len(text)) <= count
    assert re.sub(r"[^\W\d_]", "", mistyped) == re.sub(r"[^\W\d_]", "", text)
    assert add_typos(text, count, seed) == mistyped


def test_values_change_by_what_they_are_told():
    values = torch.randn(2, 3, 20, 20) * 5 + 1
    spread = float(values.std(correction=0))
    noisy = add_noise(values, 0.3, torch.Generator().manual_seed(0))
    assert abs(float((noisy - values).std()) / spread - 0.3) < 0.03
    assert torch.allclose(brighten(values, 0.5) - values, torch.tensor(0.5 * spread), atol=1e-4)
    moved = shift_along(values, 3, 0.1)
    assert torch.equal(moved[..., 2:], values[..., :-2])
    assert torch.equal(moved[..., :2], values[..., :1].expand(-1, -1, -1, 2))
    assert torch.equal(shift_along(values, 2, 0), values)
