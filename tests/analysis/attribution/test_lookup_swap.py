"""The ids' lookups are found wherever they happen, and other vectors can stand in their place."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tierproof.analysis.attribution.lookup_swap import LookupSwap

IDS = torch.tensor([[3, 1, 4, 1, 5]])
TABLE = torch.randn(12, 4)

WAYS = {
    "embedding": lambda ids: F.embedding(ids, TABLE),
    "flat": lambda ids: TABLE[ids.view(-1)].view(1, 5, 4),
    "turned": lambda ids: F.embedding(ids.t().contiguous(), TABLE).transpose(0, 1),
    "offset": lambda ids: F.embedding(ids + 2, TABLE),
    "padded": lambda ids: F.embedding(F.pad(ids, (0, 3)), TABLE)[:, :5],
    "one_hot": lambda ids: F.one_hot(ids, 12).float() @ TABLE,
    "index_select": lambda ids: torch.index_select(TABLE, 0, ids.view(-1)).view(1, 5, 4),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_lookup_is_found_and_replaced(way):
    look_up = WAYS[way]
    with LookupSwap({"ids": IDS}) as seen:
        before = look_up(IDS)
    (lookup,) = seen.lookups
    placed = lookup.positions.flatten()
    assert placed[placed >= 0].sort().values.tolist() == [0, 1, 2, 3, 4]
    again = lookup.look_up(torch.full((5,), 7)).float()
    assert torch.equal(again[0], again[4])
    other = torch.zeros_like(lookup.found, dtype=torch.float32)
    with LookupSwap({"ids": IDS}, {("ids", 0): other}):
        assert not look_up(IDS).any()
    with LookupSwap({"ids": IDS}, {("ids", 0): lookup.found.float()}):
        assert torch.equal(look_up(IDS), before)


def test_positions_are_no_tokens():
    with LookupSwap({"ids": IDS}) as seen:
        F.embedding(torch.arange(5)[None], TABLE)
    assert seen.lookups == []


def test_equal_ids_of_two_arguments_are_told_apart_by_their_storage():
    one, other = IDS.clone(), IDS.clone()
    with LookupSwap({"one": one, "other": other}) as seen:
        F.embedding(other, TABLE)
        F.embedding(one, TABLE)
    assert [lookup.argument for lookup in seen.lookups] == ["other", "one"]
