"""T1-CKPT: a second forward of a block is the first one again, or it is found."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from checks.planting import build_gpt, find, only_error, replace_block_forward, run_check
from tierproof.checks.tier1.on_request.checkpointing import CHECK
from zoo.handwritten import build
from zoo.pretrained_configs import TINY


@pytest.mark.parametrize(
    ("name", "how"), [("char_gpt", "around 3 blocks"), ("seq2seq", "blocks"), ("tiny_vit", "around 2 blocks")]
)
def test_healthy_models_train_alike(name, how):
    output = run_check(CHECK, build(name))
    assert output.findings == ()
    assert how in output.measurements["how"]
    assert output.measurements["largest_change"] < 1e-5


@pytest.mark.parametrize("name", ["gpt2", "t5", "bert", "whisper", "mixtral"])
def test_healthy_transformers_train_alike(name):
    output = run_check(CHECK, TINY[name][0]())
    assert output.findings == ()
    assert output.measurements["how"].endswith("checkpointing_enable")


@pytest.mark.parametrize("name", ["lstm_lm", "small_conv"])
def test_what_has_no_blocks_is_skipped(name):
    assert "no repeated blocks" in run_check(CHECK, build(name)).skipped


def test_a_block_that_counts_its_calls():
    def forward(self, x):
        self.calls = getattr(self, "calls", 0) + 1
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(x) * (1.0 if self.calls % 2 else 3.0))

    model = replace_block_forward(build_gpt(dropout=0.0), 1, forward)
    finding = only_error(run_check(CHECK, model))
    assert (finding.code, finding.where) == ("T1-CKPT-001", "blocks.1")
    assert not isinstance(model.blocks[1].forward, type(torch.nn.Module.forward))


def test_a_block_with_a_generator_of_its_own():
    def forward(self, x):
        if not hasattr(self, "generator"):
            self.generator = torch.Generator().manual_seed(0)
        keep = (torch.rand(x.shape, generator=self.generator) > 0.5).float()
        x = x + self.attn(self.ln1(x)) * keep
        return x + self.mlp(self.ln2(x))

    model = replace_block_forward(build_gpt(dropout=0.0), 0, forward)
    assert only_error(run_check(CHECK, model)).where.startswith("blocks.0")


def test_a_block_that_does_something_else_the_second_time():
    def forward(self, x):
        again = torch._C._current_graph_task_id() != -1  # called by backward, which computes it anew
        x = x[:, :1] if again else x
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(x))

    model = replace_block_forward(build_gpt(dropout=0.0), 2, forward)
    output = run_check(CHECK, model)
    assert find(output, "T1-CKPT-002").severity == "warning"


def test_frozen_models_are_not_asked():
    model = build("mlp")
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    assert "trainable parameters" in CHECK.needs
    assert isinstance(model, nn.Module)
    assert run_check(CHECK, model).skipped
