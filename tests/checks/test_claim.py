"""No check makes an error that does not say what it rests on, and none rests on an assumption."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from tierproof import ModelSpec, check
from tierproof.checks.claim import claim_error, conclude
from tierproof.core.finding import Finding, Severity
from tierproof.core.standing import Fact, Standing
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.traits import Traits

CHECKS = Path(__file__).resolve().parents[2] / "src" / "tierproof" / "checks"


def name_called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def allows_only_less(severity: ast.expr) -> bool:
    """`Severity.WARNING`, `Severity.INFO`, or a choice between them: nothing that could be an error."""
    if isinstance(severity, ast.IfExp):
        return allows_only_less(severity.body) and allows_only_less(severity.orelse)
    return isinstance(severity, ast.Attribute) and severity.attr in ("WARNING", "INFO")


def test_no_check_makes_an_error_without_saying_what_it_rests_on():
    guilty = []
    for path in CHECKS.rglob("*.py"):
        if path.name == "claim.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and name_called(node) == "Finding":
                given = node.args[1] if len(node.args) > 1 else None
                named = next((k.value for k in node.keywords if k.arg == "severity"), given)
                if named is None or not allows_only_less(named):
                    guilty.append(f"{path.name}:{node.lineno}")
    assert not guilty


def subject(*facts: Fact) -> SimpleNamespace:
    return SimpleNamespace(traits=Traits(facts=facts))


def test_an_error_that_was_not_claimed_is_refused():
    with pytest.raises(TypeError, match="the facts it rests on"):
        conclude(Finding("T1-X-001", Severity.ERROR, "m"), subject())


@pytest.mark.parametrize("standing", [Standing.GIVEN, Standing.DECLARED, Standing.MEASURED])
def test_an_error_may_rest_on_what_is_known(standing):
    fact = Fact("causality", standing, "causal: block.is_causal=True")
    finding = conclude(claim_error("T1-X-001", "m", rests_on=Basis.CAUSALITY), subject(fact))
    assert (finding.severity, finding.rests_on) == (Severity.ERROR, (fact,))


def test_an_assumption_makes_it_a_warning_that_says_how_to_settle_it():
    fact = Fact("causality", Standing.ASSUMED, "the class name TinyLM", "declare `ModelSpec(causal=False)`")
    known = Fact("kind", Standing.DECLARED, "causal-lm")
    claim = claim_error("T1-X-001", "m", "", None, "Mask it.", rests_on=(Basis.KIND, fact))
    finding = conclude(claim, subject(known))
    assert type(finding) is Finding
    assert finding.severity is Severity.WARNING
    assert finding.rests_on == (known, fact)
    assert "the class name TinyLM" in finding.hint
    assert "ModelSpec(causal=False)" in finding.hint
    assert finding.hint.endswith("Mask it.")


def test_what_is_unknown_is_assumed():
    finding = conclude(claim_error("T1-X-001", "m", rests_on=Basis.CAUSALITY), subject())
    assert finding.severity is Severity.WARNING


class StoryLM(nn.Module):
    """Attends both ways, whatever its name says."""

    def __init__(self, **flags: bool) -> None:
        super().__init__()
        for name, value in flags.items():
            setattr(self, name, value)
        self.embed = nn.Embedding(50, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.out = nn.Linear(16, 50)

    def forward(self, ids):
        return self.out(self.layer(self.embed(ids)))


def judge_causality(model: nn.Module, **spec: bool) -> Finding | None:
    report = check(model, spec=ModelSpec(**spec), only=["T1-CAUSAL"], progress=False)
    return next(iter(report.findings), None)


def test_a_class_name_makes_no_error():
    torch.manual_seed(0)
    finding = judge_causality(StoryLM())
    assert finding is None or finding.severity is not Severity.ERROR


def test_an_attribute_counts_for_more_than_the_class_name():
    assert judge_causality(StoryLM(causal=False)) is None


@pytest.mark.parametrize(("flags", "spec"), [({"causal": True}, {}), ({}, {"causal": True})])
def test_a_declaration_makes_an_error(flags, spec):
    finding = judge_causality(StoryLM(**flags), **spec)
    assert finding is not None
    assert finding.severity is Severity.ERROR
    assert "causality" in {fact.name for fact in finding.rests_on}
