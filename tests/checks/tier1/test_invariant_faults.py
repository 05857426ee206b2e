"""Each planted bug is found by its check, in its module; healthy models pass."""

from __future__ import annotations

import importlib

import pytest

from faults.attention import ATTENTION, CAUSALITY
from faults.inputs import INFLUENCE
from faults.masks import PADDING, Encoder
from faults.rows import BATCH
from faults.state import REGISTRATION
from tierproof.checks.check import CheckContext
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
IN_A_FOLDER = {"padding", "registration", "input_influence"}


def load(check):
    module = f"{check}.{check}" if check in IN_A_FOLDER else check
    return importlib.import_module(f"tierproof.checks.tier1.{module}").CHECK


def find_code(check):
    return load(check).code


def run(model, check):
    with preserve(model):
        return load(check).run(CheckContext(prepare_subject(model)))


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
    found = read_result(name, find_code(check)).findings
    assert [f for f in found if f.severity.value != "info"] == []


@pytest.mark.parametrize("check", FAULTS)
@pytest.mark.parametrize(
    "name", ["gpt2", "bert_model", "llama", "t5", "vit", "mamba", "clip", "mixtral", "whisper"]
)
def test_a_healthy_transformers_model_has_neither_error_nor_warning(check, name):
    found = read_result(name, find_code(check)).findings
    assert [f for f in found if f.severity.value != "info"] == []


def test_a_healthy_encoder_hides_its_padding():
    output = run(Encoder().eval(), "padding")
    assert output.skipped == ""
    assert output.findings == ()
    assert output.measurements["right_mask_effect"] > 0.01
