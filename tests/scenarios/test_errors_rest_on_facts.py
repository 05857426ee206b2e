"""No error of any report rests on an assumed fact: over the handwritten models and the fault bench's mutants."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from faultbench.mutants import load_mutants
from tierproof import TierproofError, check
from tierproof.core.finding import Severity
from tierproof.core.standing import Standing
from zoo.handwritten import HANDWRITTEN, build

MUTANTS = {mutant.name: mutant for mutant in load_mutants() if not mutant.equivalent}
FEW = ("gpt_mask_off_by_one", "encoder_mask_ignored", "gpt_positions_one_short", "gpt_tokens_bucketed")


def refuse_assumptions(model: nn.Module) -> None:
    try:
        report = check(model, progress=False)
    except TierproofError:
        return
    assert not [
        f"{finding.code} rests on {fact.name}: {fact.value}"
        for finding in report.findings
        for fact in finding.rests_on
        if finding.severity is Severity.ERROR and fact.standing is Standing.ASSUMED
    ]


def build_mutant(name: str) -> nn.Module:
    torch.manual_seed(0)
    return MUTANTS[name].build()


@pytest.mark.parametrize("name", FEW)
def test_no_error_of_a_few_mutants_rests_on_an_assumption(name):
    refuse_assumptions(build_mutant(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(HANDWRITTEN))
def test_no_error_of_a_handwritten_model_rests_on_an_assumption(name):
    refuse_assumptions(build(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(MUTANTS) - set(FEW)))
def test_no_error_of_any_mutant_rests_on_an_assumption(name):
    refuse_assumptions(build_mutant(name))
