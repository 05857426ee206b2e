"""Each planted bug is found by its check, in its module; healthy models pass."""

from __future__ import annotations

import pytest

from faults.attention import ATTENTION, CAUSALITY
from faults.inputs import INFLUENCE
from faults.masks import PADDING, Encoder
from faults.rows import BATCH
from faults.state import REGISTRATION
from tierproof.checks.check import CheckContext
from tierproof.checks.tier1 import attention, causality
from tierproof.checks.tier1.batch_independence import batch_independence
from tierproof.checks.tier1.input_influence import input_influence
from tierproof.checks.tier1.padding import padding
from tierproof.checks.tier1.registration import registration
from tierproof.model.describe.prepare_subject import prepare_subject
from tierproof.model.preserve.preserve import preserve
from zoo.checked import read_result
from zoo.handwritten import HANDWRITTEN

FAULTS = {
    "causality": CAUSALITY,
    "attention": ATTENTION,
    "batch_independence": BATCH,
    "padding": PADDING,
    "registration": REGISTRATION,
    "input_influence": INFLUENCE,
}
CHECKS = {
    "causality": causality.CHECK,
    "attention": attention.CHECK,
    "batch_independence": batch_independence.CHECK,
    "padding": padding.CHECK,
    "registration": registration.CHECK,
    "input_influence": input_influence.CHECK,
}


def run(model, check):
    with preserve(model):
        return CHECKS[check].run(CheckContext(prepare_subject(model)))


@pytest.mark.parametrize(
    ("check", "name"), [(check, name) for check, table in FAULTS.items() for name in table]
)
def test_a_planted_bug_is_found_in_its_module(check, name):
    make, code, places, severity = FAULTS[check][name]
    output = run(make(), check)
    found = [(f.code, f.severity.value, f.where) for f in output.findings]
    matching = [f for f in output.findings if f.code == code and f.severity == severity]
    assert matching, (found, output.skipped)
    assert places is None or matching[0].where in places, found
    assert matching[0].hint
    assert matching[0].evidence


@pytest.mark.parametrize("check", FAULTS)
@pytest.mark.parametrize("name", HANDWRITTEN)
def test_a_healthy_model_has_no_finding(check, name):
    found = read_result(name, CHECKS[check].code).findings
    assert [f for f in found if f.severity.value != "info"] == []


@pytest.mark.parametrize("check", FAULTS)
@pytest.mark.parametrize(
    "name", ["gpt2", "bert_model", "llama", "t5", "vit", "mamba", "clip", "mixtral", "whisper"]
)
def test_a_healthy_transformers_model_has_neither_error_nor_warning(check, name):
    found = read_result(name, CHECKS[check].code).findings
    assert [f for f in found if f.severity.value != "info"] == []


def test_a_healthy_encoder_hides_its_padding():
    output = run(Encoder().eval(), "padding")
    assert output.skipped == ""
    assert output.findings == ()
    assert output.measurements["right_mask_effect"] > 0.01
