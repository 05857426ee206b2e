from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from checks.planting import alarms, build_gpt, find, only_error, run_check
from tierproof.checks.tier1.initialization.initialization import CHECK
from tierproof.core.finding import Severity
from zoo.checked import read_result
from zoo.handwritten import HANDWRITTEN, CharGPT, build


@pytest.mark.parametrize("name", HANDWRITTEN)
def test_healthy_models_raise_no_alarm(name):
    output = read_result(name, CHECK.code)
    assert alarms(output) == []
    assert not output.measurements["looks_trained"]


def schemes(model):
    return {f"{d['path']}.{d['parameter']}": d for d in run_check(CHECK, model).document["layers"]}


def test_schemes_are_named():
    layers = schemes(build_gpt())
    assert layers["blocks.0.attn.qkv.weight"]["scheme"].startswith("N(0, 0.02)")
    assert layers["blocks.0.attn.qkv.weight"]["expected_std"] == 0.02
    assert layers["token.weight"]["kind"] == "embedding"
    assert layers["norm.weight"]["scheme"] == "ones"
    layers = schemes(build("mha_decoder"))
    assert layers["layers.0.ff.0.weight"]["scheme"].startswith("Kaiming uniform")
    assert layers["embed.weight"]["scheme"].startswith("N(0, 1)")
    assert layers["layers.0.attn.in_proj_weight"]["scheme"].startswith("Xavier")
    assert schemes(build("lstm_lm"))["lstm.weight_ih_l0"]["kind"] == "recurrent"
    assert schemes(build("small_conv"))["stem.0.weight"]["kind"] == "convolution"


def test_a_parameter_that_is_nan():
    model = build_gpt()
    model.blocks[1].mlp[0].weight.data[0, 0] = float("nan")
    finding = only_error(run_check(CHECK, model))
    assert (finding.code, finding.where) == ("T1-INIT-001", "blocks.1.mlp.0")


def test_blocks_that_start_as_copies():
    model = build_gpt()
    for index in (1, 2):
        model.blocks[index] = copy.deepcopy(model.blocks[0])
    found = alarms(run_check(CHECK, model))
    assert [(f.code, f.where) for f in found] == [("T1-INIT-002", "blocks.1.attn.qkv")]
    assert len(found[0].evidence["paths"]) == 3


def test_copies_by_pytorch_are_a_note():
    output = run_check(CHECK, build("time_series"))
    assert find(output, "T1-INIT-006").severity is Severity.INFO


def test_two_zero_matrices_in_a_row_stay_zero():
    model = build_gpt()
    for module in model.blocks[1].mlp:
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
    found = alarms(run_check(CHECK, model))
    assert {(f.code, f.where) for f in found} == {
        ("T1-INIT-003", "blocks.1.mlp.0"),
        ("T1-INIT-003", "blocks.1.mlp.2"),
    }


def test_a_zero_matrix_that_gets_gradients_is_a_note():
    model = build_gpt()
    nn.init.zeros_(model.blocks[1].mlp[2].weight)
    output = run_check(CHECK, model)
    assert alarms(output) == []
    assert find(output, "T1-INIT-006").where == "blocks.1.mlp.2"


def test_a_constant_matrix():
    model = build_gpt()
    nn.init.constant_(model.blocks[1].mlp[0].weight, 0.1)
    found = alarms(run_check(CHECK, model))
    assert [(f.code, f.where) for f in found] == [("T1-INIT-005", "blocks.1.mlp.0")]


@pytest.mark.parametrize("width", [32, 256])
def test_standard_deviation_one(width):
    model = build_gpt(width=width)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=1.0)
    found = alarms(run_check(CHECK, model))
    assert [f.code for f in found] == ["T1-INIT-004"]
    assert found[0].evidence["initial_loss"] > found[0].evidence["uniform_loss"] + 3
    assert found[0].evidence["ratio"] > 3


class Tied(CharGPT):
    def __init__(self):
        super().__init__(width=128)
        self.head.weight = self.token.weight
        nn.init.normal_(self.token.weight)


def test_a_tied_table_of_pytorchs_default_width():
    found = alarms(run_check(CHECK, build_gpt(Tied)))
    assert [(f.code, f.where) for f in found] == [("T1-INIT-004", "token")]


def test_a_trained_model_is_left_alone():
    model = build_gpt()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))
    output = run_check(CHECK, model)
    assert alarms(output) == []
    assert find(output, "T1-INIT-007").severity is Severity.INFO


def test_moved_biases_show_training_where_there_is_no_norm():
    model = build("mlp")
    assert not run_check(CHECK, model).document["looks_trained"]
    with torch.no_grad():
        model.net[0].bias.add_(torch.randn(32))
    assert run_check(CHECK, model).document["looks_trained"]


class ZeroGated(nn.Module):
    """DiT's adaLN-Zero: a gate that starts at zero, before a head that starts at zero; `dead` puts a zero in series."""

    def __init__(self, dead: bool) -> None:
        super().__init__()
        self.dead = dead
        self.embed, self.gate, self.head = nn.Embedding(40, 16), nn.Linear(16, 16), nn.Linear(16, 40)
        self.more = nn.Linear(16, 16, bias=False)
        for layer in (self.gate, self.head, *([self.more] if dead else [])):
            nn.init.zeros_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, ids):
        x = self.embed(ids)
        return self.head(x + self.more(self.gate(x)) if self.dead else x * (1 + self.gate(x)))


@pytest.mark.parametrize(("dead", "expected"), [(False, []), (True, ["gate", "more"])])
def test_zeros_that_wait_for_other_zeros_to_move_are_free(dead: bool, expected: list[str]) -> None:
    output = run_check(CHECK, ZeroGated(dead))
    assert [f.where for f in output.findings if f.code == "T1-INIT-003"] == expected
