"""T1-FIT: a sound model learns one batch by heart, and one that clamps its answer does not."""

from __future__ import annotations

import pytest
import torch

from checks.planting import alarms, build_gpt, find, run_check
from sampled import sample
from tierproof.checks.tier1.on_request.overfitting import CHECK
from zoo.handwritten import HANDWRITTEN, CharGPT, build
from zoo.pretrained_configs import TINY


@pytest.mark.parametrize("name", sample(list(HANDWRITTEN), 3))
def test_healthy_models_fit(name):
    output = run_check(CHECK, build(name))
    assert output.findings == ()
    assert output.measurements["lowest_loss"] < output.measurements["start_loss"] / 2


@pytest.mark.parametrize("name", sample(["gpt2", "bert", "t5", "vit", "mamba"], 3))
def test_healthy_transformers_fit(name):
    assert alarms(run_check(CHECK, TINY[name][0]())) == []


def test_the_model_is_not_trained():
    model = build("char_gpt")
    before = {name: p.clone() for name, p in model.named_parameters()}
    run_check(CHECK, model)
    assert all(torch.equal(before[name], p) for name, p in model.named_parameters())


def test_an_answer_that_is_clamped():
    class Clamped(CharGPT):
        def forward(self, idx):
            return super().forward(idx).clamp(-0.01, 0.01)

    (finding,) = alarms(run_check(CHECK, build_gpt(Clamped)))
    assert (finding.code, finding.severity) == ("T1-FIT-001", "warning")
    assert finding.evidence["lowest_loss"] > 0.9 * finding.evidence["start_loss"]


def test_an_answer_that_is_scaled_away_moves_a_little():
    class Faint(CharGPT):
        def forward(self, idx):
            return super().forward(idx) * 0.05

    output = run_check(CHECK, build_gpt(Faint))
    assert {f.code for f in output.findings} <= {"T1-FIT-001", "T1-FIT-002"}
    assert output.findings


def test_nan_after_the_first_step():
    class Fragile(CharGPT):
        def forward(self, idx):
            out = super().forward(idx)
            moved = (self.head.weight - self.head.weight.detach().clone().copy_(self.kept)).abs().sum()
            return out / (moved == 0)

    model = build_gpt()
    model.__class__ = Fragile
    model.kept = model.head.weight.detach().clone()
    assert find(run_check(CHECK, model), "T1-FIT-003").severity == "warning"
