"""The lookup probe: what it cannot look at never breaks the forward pass."""

from __future__ import annotations

import torch

from tierproof.model.observe.lookup_probe import LookupProbe


def test_an_empty_index_is_no_lookup():
    table, nobody = torch.randn(5, 3), torch.zeros(0, dtype=torch.long)
    with LookupProbe({"ids": torch.arange(4)}) as probe:
        assert table[nobody].shape == (0, 3)
        assert table[nobody.view(2, 0)].shape == (2, 0, 3)
    assert probe.lookups.failures == []


def test_what_raises_inside_the_probe_is_noted_and_the_operation_runs(monkeypatch):
    def refuse(*_):
        raise RuntimeError("cannot look")

    monkeypatch.setattr(LookupProbe, "_see_lookup", refuse)
    table = torch.randn(5, 3)
    with LookupProbe({}) as probe:
        assert torch.equal(torch.nn.functional.embedding(torch.tensor([1]), table), table[1:2])
    assert probe.lookups.failures == ["RuntimeError: cannot look"] * 1
