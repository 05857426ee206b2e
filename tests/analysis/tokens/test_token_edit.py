"""Edits are what they say: how long, which tokens, in which places."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tierproof.analysis.tokens.token_edit import (
    ADDED,
    count_places,
    drop_tokens,
    insert_tokens,
    keep_tokens,
    pad_tokens,
    shuffle_neighbours,
    swap_tokens,
    truncate_tokens,
)

SPECIAL = 0
PLAIN = list(range(1, 30))


@st.composite
def rows(draw):
    """Ids with special tokens at random places, which ones may be edited, and a generator."""
    count, length = draw(st.integers(1, 4)), draw(st.integers(3, 20))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    ids = torch.randint(1, 30, (count, length), generator=generator)
    ids[torch.rand(ids.shape, generator=generator) < 0.2] = SPECIAL
    ids[:, 1] = 7
    return ids, ids != SPECIAL, generator


def shown(edit, ids):
    """The old tokens at the origins."""
    return ids.gather(1, edit.origins.clamp(min=0))


@given(rows(), st.floats(0, 1))
def test_swapping_changes_exactly_so_many_positions(case, strength):
    ids, editable, generator = case
    places = count_places(editable, strength)
    edit = swap_tokens(ids, editable, places, PLAIN, generator)
    changed = edit.ids != ids
    assert changed.sum(dim=1).tolist() == [places] * len(ids)
    assert not bool((changed & ~editable).any())
    assert SPECIAL not in edit.ids[changed].tolist()
    assert edit.origins.tolist() == keep_tokens(ids).origins.tolist()


@given(rows(), st.floats(0, 1))
def test_dropping_shortens_and_keeps_the_others_in_order(case, strength):
    ids, editable, generator = case
    places = min(count_places(editable, strength), ids.shape[1] - 1)
    edit = drop_tokens(ids, editable, places, generator)
    assert edit.ids.shape == (len(ids), ids.shape[1] - places)
    assert torch.equal(edit.ids, shown(edit, ids))
    assert bool((edit.origins.diff(dim=1) > 0).all())
    for row in range(len(ids)):
        kept_special = (edit.ids[row] == SPECIAL).sum()
        assert kept_special == (ids[row] == SPECIAL).sum()


@given(rows(), st.floats(0, 1))
def test_inserting_lengthens_and_keeps_all_others(case, strength):
    ids, editable, generator = case
    places = count_places(editable, strength)
    edit = insert_tokens(ids, editable, places, PLAIN, generator)
    assert edit.ids.shape == (len(ids), ids.shape[1] + places)
    added = edit.origins == ADDED
    assert added.sum(dim=1).tolist() == [places] * len(ids)
    for row in range(len(ids)):
        assert torch.equal(edit.ids[row][~added[row]], ids[row])
    assert SPECIAL not in edit.ids[added].tolist()


@given(rows(), st.integers(1, 10))
def test_changing_the_order_keeps_the_tokens_and_moves_each_by_one_place(case, pairs):
    ids, editable, generator = case
    edit = shuffle_neighbours(ids, editable, pairs, generator)
    assert torch.equal(edit.ids.sort(dim=1).values, ids.sort(dim=1).values)
    assert torch.equal(edit.ids, shown(edit, ids))
    moved = edit.origins != keep_tokens(ids).origins
    assert bool((moved.sum(dim=1) <= 2 * pairs).all())
    assert int((edit.origins - keep_tokens(ids).origins).abs().max()) <= 1
    assert torch.equal(edit.ids == SPECIAL, ids == SPECIAL)


@given(rows(), st.integers(1, 8), st.booleans())
def test_padding_adds_hidden_positions_on_one_side(case, count, left):
    ids, _, _ = case
    edit = pad_tokens(ids, count, SPECIAL, left=left)
    part = edit.ids[:, count:] if left else edit.ids[:, : ids.shape[1]]
    assert torch.equal(part, ids)
    assert edit.hidden.sum(dim=1).tolist() == [count] * len(ids)
    assert bool((edit.origins[edit.hidden] == ADDED).all())


@pytest.mark.parametrize("keep_end", [True, False])
def test_truncating_cuts_one_end_and_spares_special_tokens(keep_end):
    ids = torch.tensor([[SPECIAL, 1, 2, 3, 4, SPECIAL]])
    edit = truncate_tokens(ids, ids != SPECIAL, 2, keep_end=keep_end)
    assert edit.ids.tolist() == [[SPECIAL, 3, 4, SPECIAL] if keep_end else [SPECIAL, 1, 2, SPECIAL]]


def test_a_strength_is_a_share_of_the_editable_tokens():
    editable = torch.tensor([[True] * 10 + [False] * 5])
    assert [count_places(editable, share) for share in (0, 0.01, 0.3, 1, 2)] == [0, 1, 3, 10, 10]
    assert count_places(torch.zeros(2, 4, dtype=torch.bool), 0.5) == 0
