"""T2-ROBUSTNESS warns of rounding and padding that change decided answers, and of nothing else."""

from __future__ import annotations

import time

import torch
from torch import nn

from analysis.trained_classifier import train_classifier
from checks.planting import alarms, find, run_check
from tierproof.analysis.examples.given_examples import collect_examples
from tierproof.checks.check import CheckContext
from tierproof.checks.measurements.robustness_curves import read_robustness
from tierproof.checks.tier2.robustness import CHECK
from tierproof.core.finding import Severity
from tierproof.core.time_limit import limit_time
from tierproof.model.describe.prepare_subject import prepare_subject
from zoo.encoders import ENCODERS
from zoo.handwritten import CharGPT, build


class Cancelling(nn.Module):
    """Scores whose common part is far larger than their differences."""

    def __init__(self, offset):
        super().__init__()
        self.embed, self.head, self.offset = nn.Embedding(40, 16), nn.Linear(16, 4), offset

    def forward(self, ids):
        return 30 * self.head(self.embed(ids).sum(1)) + self.offset


def test_an_offset_that_rounding_cannot_hold_is_found():
    torch.manual_seed(0)
    found = find(run_check(CHECK, Cancelling(20_000.0)), "T2-ROBUSTNESS-001")
    assert found.severity is Severity.WARNING
    assert found.message.startswith("In bfloat16 the model changes")
    torch.manual_seed(0)
    assert alarms(run_check(CHECK, Cancelling(0.0))) == []


class Unmasked(nn.Module):
    """An encoder that takes a mask and averages over all positions; `heed` says whether the mask is applied."""

    def __init__(self, *, heed):
        super().__init__()
        self.embed, self.head, self.heed = nn.Embedding(40, 16), nn.Linear(16, 4), heed

    def forward(self, ids, attention_mask=None):
        x = self.embed(ids)
        shown = torch.ones_like(ids) if attention_mask is None or not self.heed else attention_mask
        return 60 * self.head((x * shown[..., None]).sum(1) / 4)


def test_padding_that_is_read_is_found():
    torch.manual_seed(0)
    found = find(run_check(CHECK, Unmasked(heed=False)), "T2-ROBUSTNESS-002")
    assert found.severity is Severity.WARNING
    assert "T1-PAD" in found.hint
    torch.manual_seed(0)
    codes = [item.code for item in run_check(CHECK, Unmasked(heed=True)).findings]
    assert "T2-ROBUSTNESS-002" not in codes


def test_a_constant_answer_is_an_info():
    class Constant(Cancelling):
        def forward(self, ids):
            return super().forward(ids) * 1e-3 + torch.tensor([0.0, 9.0, 0.0, 0.0])

    found = find(run_check(CHECK, Constant(0.0)), "T2-ROBUSTNESS-003")
    assert found.severity is Severity.INFO
    assert "one and the same answer" in found.message


def test_near_ties_are_an_info_with_the_relative_error():
    torch.manual_seed(0)
    output = run_check(CHECK, ENCODERS["bert_like"][0]())
    assert alarms(output) == []
    tie = find(output, "T2-ROBUSTNESS-004")
    assert "all of them near ties" in tie.message
    assert 0 < tie.evidence["relative_error"] < 0.1


def test_healthy_models_get_no_warning():
    torch.manual_seed(0)
    for model in (CharGPT(), build("tiny_vit"), build("seq2seq"), train_classifier(0, steps=60)):
        output = run_check(CHECK, model)
        assert not output.skipped
        assert alarms(output) == []
        assert read_robustness(output.document).to_dict() == output.document


def test_examples_that_do_not_fit_skip_the_check_with_a_reason():
    subject = prepare_subject(CharGPT())
    output = CHECK.run(CheckContext(subject, examples=collect_examples([[1, 999]])))
    assert "999" in output.skipped
    broken = CharGPT()
    with torch.no_grad():
        broken.head.weight.fill_(float("nan"))
    assert "not finite" in run_check(CHECK, broken).skipped


def test_a_time_that_ends_keeps_what_was_measured():
    class Slow(CharGPT):
        def forward(self, idx):
            time.sleep(0.01)
            return super().forward(idx)

    subject = prepare_subject(Slow())
    rows = collect_examples([[n % 60, 2, 3, 4] for n in range(32)])
    with limit_time(time.monotonic() + 0.7):
        output = CHECK.run(CheckContext(subject, examples=rows))
    assert find(output, "T2-ROBUSTNESS-006")
    assert output.document["perturbations"]
