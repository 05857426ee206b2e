"""T1-SAVE: copies, pickles and files, each with a planted bug; healthy models stay silent."""

from __future__ import annotations

import copy
import threading

import pytest
import torch
from torch import nn

from checks.planting import alarms, build_gpt, find, only_error, run_check
from tierproof.checks.tier1.saving import CHECK
from tierproof.model.preserve.preserve import preserve
from zoo.checked import read_result
from zoo.handwritten import HANDWRITTEN, CharGPT, NanoGPT
from zoo.nasty import NASTY
from zoo.pretrained_configs import TINY


@pytest.mark.parametrize("name", HANDWRITTEN)
def test_healthy_models_are_silent(name):
    output = read_result(name, CHECK.code)
    assert output.findings == ()
    assert output.measurements["copy_change"] < 1e-5  # the trace switches fused paths off
    assert output.measurements["pickle_change"] < 1e-5


@pytest.mark.parametrize("name", ["gpt2", "bert", "t5", "mamba", "mixtral", "whisper", "clip"])
def test_healthy_transformers_are_silent(name):
    assert run_check(CHECK, TINY[name][0]()).findings == ()


def test_a_lock_keeps_the_model_from_being_copied():
    model = build_gpt()
    model.lock = threading.Lock()
    output = run_check(CHECK, model)
    assert "lock" in find(output, "T1-SAVE-001").message
    assert find(output, "T1-SAVE-004").severity == "info"


def test_a_copy_that_leaves_something_behind():
    class Forgetful(CharGPT):
        def __deepcopy__(self, memo):
            other = type(self)()
            other.load_state_dict(self.state_dict())
            return other

        def forward(self, idx):
            return super().forward(idx) * getattr(self, "scale", 1.0)

    model = build_gpt(Forgetful)
    model.scale = 3.0
    assert only_error(run_check(CHECK, model)).code == "T1-SAVE-002"


def test_a_closure_over_the_original():
    model = build_gpt()
    head = model.blocks[1].mlp
    model.blocks[1].mlp_forward = lambda x: head(x) * 1.0

    def forward(self, x):
        x = x + self.attn(self.ln1(x))
        return x + self.mlp_forward(self.ln2(x))

    model.blocks[1].forward = forward.__get__(model.blocks[1])
    finding = only_error(run_check(CHECK, model))
    assert finding.code == "T1-SAVE-003"
    assert finding.where == "blocks.1"
    assert finding.evidence["parameters"][0].startswith("blocks.1.mlp")


class Pickled(CharGPT):
    scale = 1.0

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if name != "scale"}

    def __deepcopy__(self, memo):
        other = CharGPT.__new__(type(self))
        memo[id(self)] = other
        other.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return other

    def forward(self, idx):
        return super().forward(idx) * self.scale


def test_a_pickle_that_leaves_something_behind():
    model = build_gpt(Pickled)
    model.scale = 3.0
    assert only_error(run_check(CHECK, model)).code == "T1-SAVE-005"


def test_a_lambda_is_a_note():
    model = build_gpt()
    model.norm.after = lambda x: x
    output = run_check(CHECK, model)
    assert alarms(output) == []
    assert find(output, "T1-SAVE-004").severity == "info"


def test_what_is_no_tensor_cannot_be_written():
    class Extra(CharGPT):
        def get_extra_state(self):
            return {"version": 3}

        def set_extra_state(self, state):
            pass

    assert "dict" in find(run_check(CHECK, build_gpt(Extra)), "T1-SAVE-006").message


def test_a_loader_that_turns_what_it_loads():
    class Turned(nn.Linear):
        def _load_from_state_dict(self, state_dict, prefix, *rest):
            state_dict[f"{prefix}weight"] = state_dict[f"{prefix}weight"].t()
            super()._load_from_state_dict(state_dict, prefix, *rest)

    model = build_gpt()
    model.blocks[0].attn.proj = Turned(32, 32)
    before = model.blocks[0].attn.proj.weight.clone()
    finding = only_error(run_check(CHECK, model))
    assert (finding.code, finding.where) == ("T1-SAVE-007", "blocks.0.attn.proj")
    assert torch.equal(model.blocks[0].attn.proj.weight, before)


def test_a_tie_of_memory_alone():
    model = build_gpt()
    model.head.weight.data = model.token.weight.data
    (finding,) = alarms(run_check(CHECK, model))
    assert (finding.code, finding.where) == ("T1-SAVE-008", "head")


def test_ties_and_turned_weights_are_fine():
    model = build_gpt(NanoGPT)
    model.blocks[0].attn.proj.weight = nn.Parameter(torch.randn(32, 32).t())
    model.register_buffer("whole", torch.arange(6.0))
    model.register_buffer("part", model.whole[2:4])
    assert run_check(CHECK, model).findings == ()


@pytest.mark.parametrize("name", ["Counting", "References"])
def test_the_model_is_left_as_it_was(name):
    torch.manual_seed(0)
    model = NASTY[name]()
    before = model.state_dict()["linear.weight" if name == "Counting" else "child.weight"].clone()
    with preserve(model):
        run_check(CHECK, model, inputs=torch.ones(2, 4))
    assert torch.equal(next(model.parameters()), before)
