from __future__ import annotations

import pytest
import torch
from torch import nn

from checks.planting import alarms, build_gpt, find, only_error, run_check
from tierproof.checks.check import CheckContext, Deadline
from tierproof.checks.tier1.shape.shape import CHECK
from tierproof.checks.tier1.shape.shape_cases import ShapeCase, choose_cases
from tierproof.core.finding import Severity
from tierproof.model.call.spec import ModelSpec
from tierproof.model.describe.prepare_subject import prepare_subject
from zoo.checked import read_result
from zoo.handwritten import HANDWRITTEN, CharGPT, TinyViT


@pytest.mark.parametrize("name", HANDWRITTEN)
def test_healthy_models_keep_their_contract(name):
    output = read_result(name, CHECK.code)
    assert output.findings == ()
    assert all(case["outcome"] == "passed" for case in output.measurements["cases"])


def test_batches_lengths_and_the_maximum_are_tried():
    cases = run_check(CHECK, build_gpt()).document["cases"]
    tried = {(case["batch"], case["length"]) for case in cases}
    assert {(1, 16), (2, 16), (3, 16), (1, 1), (1, 2), (1, 7), (1, 32), (1, 63), (1, 64)} <= tried
    assert {tuple(case["output_shape"]) for case in cases} >= {(1, 64, 65), (3, 16, 65), (1, 1, 65)}


def test_a_model_without_length_sweeps_the_batch():
    cases = run_check(CHECK, TinyViT()).document["cases"]
    assert [(case["batch"], case["length"]) for case in cases] == [(2, None), (1, None), (3, None)]


class ShortTable(CharGPT):
    def __init__(self):
        super().__init__()
        self.position = nn.Embedding(63, 32)


def test_a_position_table_one_row_short():
    finding = only_error(run_check(CHECK, build_gpt(ShortTable)))
    assert (finding.code, finding.where) == ("T1-SHAPE-002", "position")
    assert finding.evidence["longest_working_length"] == 63
    assert "IndexError" in finding.evidence["exception"]


class HardCoded(CharGPT):
    def forward(self, idx):
        x = self.token(idx) + self.position(torch.arange(16))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def test_a_hard_coded_length():
    output = run_check(CHECK, build_gpt(HardCoded))
    finding = find(output, "T1-SHAPE-001")
    assert finding.severity is Severity.ERROR
    assert 7 in finding.evidence["failed_lengths"]
    assert find(output, "T1-SHAPE-002").evidence["longest_working_length"] == 16


class Squeezing(CharGPT):
    def forward(self, idx):
        return super().forward(idx).squeeze(0)


def test_a_batch_of_one_that_is_squeezed_away():
    finding = only_error(run_check(CHECK, build_gpt(Squeezing)))
    assert finding.code == "T1-SHAPE-003"
    assert finding.evidence == {
        "batch": 1,
        "length": 16,
        "output_shape": [16, 65],
        "expected_shape": [1, 16, 65],
    }


class SometimesDouble(CharGPT):
    def forward(self, idx):
        logits = super().forward(idx)
        return logits.double() if idx.shape[1] % 2 else logits


def test_a_dtype_that_depends_on_the_length():
    assert only_error(run_check(CHECK, build_gpt(SometimesDouble))).code == "T1-SHAPE-004"


class NeedsTwo(CharGPT):
    def forward(self, idx):
        if idx.shape[1] < 2:
            raise ValueError("needs two tokens")
        return super().forward(idx)


def test_length_one_must_work():
    assert only_error(run_check(CHECK, build_gpt(NeedsTwo))).code == "T1-SHAPE-005"


def test_a_batch_size_that_raises():
    subject = prepare_subject(build_gpt())
    plain = subject.model.forward

    def forward(idx):
        if idx.shape[0] == 3:
            raise ValueError("even batches only")
        return plain(idx)

    subject.model.forward = forward
    finding = only_error(CHECK.run(CheckContext(subject)))
    assert (finding.code, finding.evidence["batch"]) == ("T1-SHAPE-006", 3)


class Chunked(CharGPT):
    def forward(self, idx):
        if idx.shape[1] % 8:
            raise ValueError("multiples of 8 only")
        return super().forward(idx)


def test_a_chunk_length_is_a_note():
    output = run_check(CHECK, build_gpt(Chunked))
    assert alarms(output) == []
    assert find(output, "T1-SHAPE-007").evidence["step"] == 8


class RobertaLike(CharGPT):
    def forward(self, idx):
        x = self.token(idx) + self.position(torch.arange(idx.shape[1]) + 2)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def test_positions_after_the_padding_id_are_a_note():
    output = run_check(CHECK, build_gpt(RobertaLike), spec=ModelSpec(max_length=64, pad_token_id=1))
    assert alarms(output) == []
    assert find(output, "T1-SHAPE-008").evidence["longest_working_length"] == 62


def test_a_model_that_always_raises_is_one_error():
    subject = prepare_subject(build_gpt())
    subject.model.head.forward = _raise
    finding = only_error(CHECK.run(CheckContext(subject)))
    assert (finding.code, finding.where) == ("T1-SHAPE-009", "head")


def _raise(x):
    raise RuntimeError("broken")


def test_out_of_memory_is_recorded_and_no_finding():
    subject = prepare_subject(build_gpt())
    plain = subject.model.forward

    def forward(idx):
        if idx.shape[1] == 64:
            raise MemoryError
        return plain(idx)

    subject.model.forward = forward
    output = CHECK.run(CheckContext(subject))
    assert output.findings == ()
    assert "out of memory" in {case["outcome"] for case in output.document["cases"]}


def test_an_expensive_maximum_is_not_tried_and_said_so():
    model = build_gpt()
    model.block_size = 131_072
    subject = prepare_subject(model, spec=ModelSpec(max_length=131_072))
    cases, untried = choose_cases(subject, forward_s=0.5)
    assert (ShapeCase(1, 131_072)) in [case for case, _ in untried]
    assert all((case.length or 0) < 1024 for case in cases)
    assert all(reason for _, reason in untried)


def test_no_time_left_is_said():
    subject = prepare_subject(build_gpt())
    output = CHECK.run(CheckContext(subject, deadline=Deadline.after(-1.0)))
    assert "not tried: no time left" in {case["outcome"] for case in output.document["cases"]}


class PoolsOverFour(nn.Module):
    """CANINE's way: characters are joined by fours before anything attends."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(30, 16)
        self.pool = nn.MaxPool1d(4)
        self.head = nn.Linear(16, 5)

    def forward(self, input_ids):
        return self.head(self.pool(self.embed(input_ids).transpose(1, 2)).mean(-1))


def test_less_than_a_kernel_takes_is_no_error_but_for_a_causal_model():
    (finding,) = run_check(CHECK, build_gpt(PoolsOverFour)).findings
    assert (finding.code, finding.severity) == ("T1-SHAPE-010", Severity.INFO)
    assert finding.evidence["shortest_working_length"] == 4
    output = run_check(CHECK, build_gpt(PoolsOverFour), spec=ModelSpec(kind="causal-lm"))
    assert find(output, "T1-SHAPE-005").severity is Severity.ERROR
