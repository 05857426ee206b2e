"""Decoding in other ways: from several tokens at once, without a mask, behind padding, after another sequence."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from checks.planting import run_check
from tierproof.checks.tier1.cache.cache import CHECK
from tierproof.core.finding import Severity


class CachedLM(nn.Module):
    """One causal attention with a list of (keys, values) as its cache; `fault` names the planted bug."""

    def __init__(self, fault: str = "") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fault, self.kept = fault, None
        self.embed, self.places = nn.Embedding(40, 16), nn.Embedding(64, 16)
        self.project, self.head = nn.Linear(16, 48), nn.Linear(16, 40)

    def forward(self, input_ids, attention_mask=None, past=None, use_cache=False):
        new = input_ids.shape[1]
        old = 0 if past is None else past[0].shape[1]
        start = 0 if self.fault == "positions restart" else old
        x = self.embed(input_ids) + self.places(torch.arange(start, start + new))
        q, k, v = self.project(x).chunk(3, -1)
        if self.fault == "keeps the first sequence" and use_cache and past is None:
            if self.kept is not None and self.kept[0].shape == k.shape:
                k, v = self.kept
            self.kept = (k, v)
        if past is not None:
            k, v = torch.cat([past[0], k], 1), torch.cat([past[1], v], 1)
        offset = 0 if self.fault == "chunks look back too little" and new > 1 else old
        if self.fault == "no mask, first key" and attention_mask is None:
            offset = 0
        seen = torch.ones(new, old + new, dtype=torch.bool).tril(offset)[None]
        if self.fault == "no mask while filling" and use_cache and past is None:
            seen = torch.ones_like(seen)
        if attention_mask is not None and not (self.fault == "padding once" and old):
            seen = seen & attention_mask[:, None].bool()
        weights = (q @ k.transpose(1, 2) / 4).masked_fill(~seen, -1e4).softmax(-1)
        logits = self.head(x + weights @ v)
        cache = [k, v]
        if self.fault == "extends the caller's list" and past is not None:
            past[:] = cache
            cache = past
        return (logits, cache) if use_cache else logits


def test_a_sound_cache_is_silent():
    output = run_check(CHECK, CachedLM())
    assert output.skipped == ""
    assert output.findings == ()
    ways = {"first_pass_change", "change_without_mask", "change_behind_left_padding", "chunk_change"}
    assert ways <= set(output.document)


@pytest.mark.parametrize(
    ("fault", "code", "severity"),
    [
        ("positions restart", "T1-CACHE-001", Severity.ERROR),
        ("no mask while filling", "T1-CACHE-004", Severity.ERROR),
        ("keeps the first sequence", "T1-CACHE-005", Severity.ERROR),
        ("no mask, first key", "T1-CACHE-006", Severity.ERROR),
        ("padding once", "T1-CACHE-007", Severity.ERROR),
        ("chunks look back too little", "T1-CACHE-008", Severity.WARNING),
        ("extends the caller's list", "T1-CACHE-009", Severity.WARNING),
    ],
)
def test_each_fault_has_its_finding(fault, code, severity):
    (finding,) = run_check(CHECK, CachedLM(fault)).findings
    assert (finding.code, finding.severity) == (code, severity)
    assert finding.hint
