from __future__ import annotations

import pytest
import torch

import tierproof
from tierproof.analysis.examples.given_examples import GivenExamples
from tierproof.api.check_loaded import check_loaded
from tierproof.api.check_options import CheckOptions, read_codes
from tierproof.checks import registry
from tierproof.checks.check import Check, CheckOutput
from tierproof.errors import UsageError
from tierproof.model.load.load import LoadedModel
from zoo.handwritten import CharGPT


@pytest.mark.parametrize("codes", ["T1-A, T1-B,", ["T1-A", " T1-B "], ("T1-A", "", "T1-B")])
def test_codes_are_read_from_a_string_or_a_sequence(codes):
    assert read_codes(codes) == ("T1-A", "T1-B")


@pytest.mark.parametrize("options", [{"seed": -1}, {"seed": True}, {"seed": 1.5}, {"budget_s": 0}])
def test_what_cannot_be_used_is_refused(options):
    with pytest.raises(UsageError):
        CheckOptions(**options)


def test_a_check_is_given_the_examples(monkeypatch):
    seen = []

    def run(context):
        seen.append(context.examples)
        return CheckOutput()

    check = Check("T1-LOOK", "a look at the examples", 1, run)
    monkeypatch.setattr(registry, "load_checks", lambda _tier: (check,))
    examples = GivenExamples(([1, 2, 3], [4, 5]), labels=(0, 1))
    report = check_loaded(LoadedModel(CharGPT(), ""), CheckOptions(progress=False, examples=examples))
    assert seen == [examples]
    assert report.ok


@pytest.mark.parametrize("tier", [1, 2])
def test_examples_that_are_no_inputs_of_the_model_are_refused_before_any_check(tier):
    with pytest.raises(UsageError, match="token id 9999"):
        tierproof.check(CharGPT(), tier=tier, examples=["abc"], tokenizer=lambda _: [1, 9999], progress=False)


def test_a_batch_of_examples_tells_how_the_model_is_called():
    report = tierproof.check(
        CharGPT(), only=["T2-ATTENTION"], examples=torch.tensor([[1, 2, 3, 4, 5]]), progress=False
    )
    (result,) = report.results
    assert result.measurements["patterns"][0]["queries"] == 5
