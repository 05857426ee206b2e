"""T1-COMPILE and T1-EXPORT: what is traced answers alike, and what cannot be traced is told."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import nn

from checks.planting import find, only_error, run_check
from tierproof.checks.tier1.on_request import compilation, exporting
from zoo.handwritten import Mlp, build


class Branching(nn.Module):
    """Two graphs: a branch on a value lies between."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.second = nn.Linear(6, 2)

    def forward(self, x):
        x = self.first(x)
        if x.sum() > 0:
            x = x * 2
        return self.second(x)


class Pretending(Mlp):
    """Takes another way while it is traced."""

    def forward(self, x):
        return super().forward(x) * (2.0 if torch.compiler.is_compiling() else 1.0)


class Noted(Mlp):
    """Reads a value while it is traced and keeps it for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = None

    def forward(self, x):
        if torch.compiler.is_exporting():
            return super().forward(x) + 1.0
        return super().forward(x)


def make(kind, *sizes):
    torch.manual_seed(0)
    return kind(*sizes)


def test_a_healthy_model_is_one_graph():
    output = run_check(compilation.CHECK, build("mlp"))
    assert output.findings == ()
    assert (output.measurements["graphs"], output.measurements["graph_breaks"]) == (1, 0)
    assert output.measurements["aot_eager_change"] < 1e-5
    assert logging.root.manager.disable == 0


def test_graph_breaks_are_counted_with_their_lines():
    finding = find(run_check(compilation.CHECK, make(Branching)), "T1-COMPILE-003")
    assert finding.severity == "info"
    assert finding.evidence["breaks"] == 1
    assert "test_tracing_checks.py" in finding.message


def test_another_way_while_compiling():
    assert only_error(run_check(compilation.CHECK, make(Pretending))).code == "T1-COMPILE-001"


def test_compiling_raises(monkeypatch):
    def refuse(*_args, **_options):
        raise RuntimeError("no tracing here")

    monkeypatch.setattr(torch, "compile", refuse)
    finding = find(run_check(compilation.CHECK, build("mlp")), "T1-COMPILE-002")
    assert "no tracing here" in finding.message


@pytest.mark.parametrize("name", ["mlp", "char_gpt", "tiny_vit", "dict_input"])
def test_healthy_models_are_exported(name):
    output = run_check(exporting.CHECK, build(name))
    assert output.findings == ()
    assert output.measurements["change"] < 1e-5
    assert output.measurements["change_on_other_values"] < 1e-5


def test_another_way_while_exporting():
    assert only_error(run_check(exporting.CHECK, make(Noted))).code == "T1-EXPORT-001"


def test_a_branch_on_values_cannot_be_exported(capsys):
    finding = find(run_check(exporting.CHECK, make(Branching)), "T1-EXPORT-002")
    assert finding.severity == "info"
    assert capsys.readouterr().err == ""
