"""T1-INIT-009: a padding row that was drawn anew; T1-STAB-014: a table that was zeroed whole."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import tierproof as tp
from checks.planting import build_gpt


def draw_anew(model):
    model.token = nn.Embedding(65, 32, padding_idx=0)
    nn.init.normal_(model.token.weight, std=0.02)


def draw_and_zero(model):
    draw_anew(model)
    with torch.no_grad():
        model.token.weight[0].zero_()


def zero_the_table(model):
    with torch.no_grad():
        nn.init.constant_(model.token.weight[None], 0)


def zero_the_head(model):
    nn.init.zeros_(model.head.weight)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (draw_anew, {("T1-INIT-009", "token")}),
        (draw_and_zero, set()),
        (zero_the_table, {("T1-STAB-014", "token")}),
        (zero_the_head, set()),
    ],
)
def test_rows_and_tables_of_zeros(change, found):
    model = build_gpt(dropout=0.0)
    change(model)
    report = tp.check(model, only=["T1-INIT", "T1-STAB"], progress=False)
    loud = {(f.code, f.where) for f in report.findings if f.severity.value == "warning"}
    assert {pair for pair in loud if pair[0] in ("T1-INIT-009", "T1-STAB-014")} == found
