from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from checks.planting import alarms, build_gpt, find, only_error, replace_block_forward, run_check
from tierproof.checks.check import CheckContext, Deadline
from tierproof.checks.tier1.stability.stability import CHECK
from tierproof.core.finding import Severity
from tierproof.model.describe.prepare_subject import prepare_subject
from zoo.checked import read_result
from zoo.handwritten import HANDWRITTEN, CharGPT, Mlp, build


@pytest.mark.parametrize("name", [name for name in HANDWRITTEN if name != "dataclass_encoder"])
def test_healthy_models_raise_no_alarm(name):
    output = read_result(name, CHECK.code)
    assert alarms(output) == []
    assert output.measurements["repeat_difference"] == 0.0


def test_pytorchs_encoder_gives_nan_in_a_masked_row_at_most_a_warning():
    found = alarms(run_check(CHECK, build("dataclass_encoder")))
    assert all(f.code == "T1-STAB-010" and f.severity is Severity.WARNING for f in found)
    assert all(f.where.startswith("encoder") for f in found)


class Log(nn.Module):
    def forward(self, x):
        return torch.log(x)


def append_to_block(index, module):
    model = build_gpt()
    model.blocks[index].mlp.append(module)
    return model


def test_nan_is_located():
    finding = only_error(run_check(CHECK, append_to_block(1, Log())))
    assert (finding.code, finding.where) == ("T1-STAB-001", "blocks.1.mlp.4")


def dropout_in_evaluation(self, x):
    x = x + F.dropout(self.attn(self.ln1(x)), 0.1, training=True)
    return x + self.mlp(self.ln2(x))


def test_dropout_in_evaluation():
    finding = only_error(run_check(CHECK, replace_block_forward(build_gpt(), 1, dropout_in_evaluation)))
    assert (finding.code, finding.where) == ("T1-STAB-002", "blocks.1")


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x * (1 + 0.1 * self.calls)


def test_a_hidden_counter():
    finding = only_error(run_check(CHECK, append_to_block(1, Counter())))
    assert (finding.code, finding.where) == ("T1-STAB-003", "blocks.1.mlp.4")


class Remembering(nn.Module):
    """Adds what the call before left behind: the same input twice does not show it."""

    def __init__(self):
        super().__init__()
        self.last = None

    def forward(self, x):
        before = x if self.last is None else x + self.last
        self.last = x[:1, :1].detach()
        return before


def test_state_that_leaks_from_call_to_call():
    model = build_gpt()
    model.blocks[1].attn.proj = nn.Sequential(model.blocks[1].attn.proj, Remembering())
    finding = only_error(run_check(CHECK, model))
    assert (finding.code, finding.where) == ("T1-STAB-003", "blocks.1.attn.proj.1")


class WritingEmbedding(nn.Embedding):
    def forward(self, tokens):
        tokens[:, 0] = 1
        return super().forward(tokens)


def test_an_input_changed_in_place():
    model = build_gpt()
    model.token = WritingEmbedding(65, 32)
    finding = only_error(run_check(CHECK, model))
    assert (finding.code, finding.where) == ("T1-STAB-004", "token")
    assert finding.evidence["arguments"] == ["idx"]


class Constant(nn.Module):
    def forward(self, x):
        return torch.ones_like(x)


def test_answers_that_do_not_follow_the_input():
    model = build_gpt()
    model.norm = Constant()
    finding = only_error(run_check(CHECK, model))
    assert (finding.code, finding.where) == ("T1-STAB-005", "norm")


def test_a_zero_initialised_head_is_a_note():
    model = build_gpt()
    nn.init.zeros_(model.head.weight)
    output = run_check(CHECK, model)
    assert alarms(output) == []
    assert find(output, "T1-STAB-014").evidence["zero_parameters"]


class Pooled(nn.Module):
    def forward(self, x):
        return x.mean(1, keepdim=True).expand_as(x)


def test_equal_positions_are_a_warning():
    model = build_gpt()
    model.norm = nn.Sequential(Pooled(), model.norm)
    found = alarms(run_check(CHECK, model))
    assert [f.code for f in found] == ["T1-STAB-006"]


class FailsOnLastToken(CharGPT):
    def forward(self, idx):
        if (idx == 64).all():
            raise IndexError("index out of range")
        return super().forward(idx)


class NanOnFirstToken(CharGPT):
    def forward(self, idx):
        logits = super().forward(idx)
        return logits * float("nan") if (idx[:, 0] == 0).any() else logits


@pytest.mark.parametrize(("kind", "token"), [(FailsOnLastToken, 64), (NanOnFirstToken, 0)])
def test_every_token_id_is_valid(kind, token):
    finding = only_error(run_check(CHECK, build_gpt(kind)))
    assert finding.code == "T1-STAB-007"
    assert finding.evidence["token"] == token


class Standardising(Mlp):
    def forward(self, x):
        return super().forward((x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True))


def test_zeros_that_divide_by_zero_are_a_warning():
    finding = find(run_check(CHECK, Standardising()), "T1-STAB-008")
    assert finding.severity is Severity.WARNING


class OverLength(CharGPT):
    def forward(self, idx):
        x = self.token(idx) + self.position(torch.arange(idx.shape[1]))
        return self.head(x / (x.std(1, keepdim=True) + 1e-6))


def test_nan_at_length_one():
    assert only_error(run_check(CHECK, build_gpt(OverLength))).code == "T1-STAB-013"


class MaskedAttention(nn.Module):
    """-inf over a whole row gives NaN; with `mixing` it spreads to the other rows."""

    def __init__(self, *, mixing):
        super().__init__()
        self.embed, self.query, self.out = nn.Embedding(30, 16), nn.Linear(16, 16), nn.Linear(16, 30)
        self.mixing = mixing

    def forward(self, input_ids, attention_mask=None):
        x = self.embed(input_ids)
        scores = self.query(x) @ x.transpose(1, 2)
        if attention_mask is not None:
            scores = scores.masked_fill(attention_mask[:, None, :] == 0, float("-inf"))
        y = torch.softmax(scores, -1) @ x
        return self.out(y - y.mean(0) if self.mixing else y)


def test_a_fully_masked_row():
    torch.manual_seed(0)
    found = alarms(run_check(CHECK, MaskedAttention(mixing=False)))
    assert [(f.code, f.severity) for f in found] == [("T1-STAB-010", Severity.WARNING)]
    assert only_error(run_check(CHECK, MaskedAttention(mixing=True))).code == "T1-STAB-009"


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


def test_activations_beyond_float16_are_a_warning():
    model = append_to_block(1, Times(1e9))
    model.blocks[1].mlp.append(Times(1e-9))
    output = run_check(CHECK, model)
    found = alarms(output)
    assert [(f.code, f.where) for f in found] == [("T1-STAB-012", "blocks.1.mlp.4")]
    assert output.measurements["largest_activation"] > 65504


class BreaksInBfloat16(nn.Module):
    def forward(self, x):
        return x / 0 if x.dtype is torch.bfloat16 else x


def test_nan_in_bfloat16_is_a_warning():
    model = build_gpt()
    model.blocks[0].mlp.insert(1, BreaksInBfloat16())
    found = alarms(run_check(CHECK, model))
    assert [(f.code, f.where) for f in found] == [("T1-STAB-011", "blocks.0.mlp.1")]


def test_a_type_that_draws_by_design_is_a_note():
    model = replace_block_forward(build_gpt(), 1, dropout_in_evaluation)
    subject = prepare_subject(model)
    model.config = type("Config", (), {"model_type": "reformer"})()
    output = CHECK.run(CheckContext(subject))
    assert alarms(output) == []
    assert find(output, "T1-STAB-014").where == "blocks.1"


def test_no_time_left_is_said():
    subject = prepare_subject(build_gpt())
    output = CHECK.run(CheckContext(subject, deadline=Deadline.after(-1.0)))
    assert output.measurements["stopped"] == "no time left"
