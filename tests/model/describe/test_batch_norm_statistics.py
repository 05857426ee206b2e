from __future__ import annotations

import pytest
import torch
from torch import nn

import tierproof
from tierproof.model.describe.batch_norm_statistics import settle_batch_norms
from tierproof.model.describe.prepare_subject import prepare_subject
from zoo.fingerprint import fingerprint
from zoo.handwritten import build


class FadingConvNet(nn.Module):
    """Weights of 0.02, as transformers draws them: without statistics every block fades by far."""

    def __init__(self, blocks=30):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.SiLU())
                for _ in range(blocks)
            )
        )
        self.head = nn.Linear(8, 5)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.02)

    def forward(self, pixels):
        return self.head(self.blocks(self.stem(pixels)).mean((2, 3)))


def test_a_fresh_network_fades_without_statistics_and_passes_with_them():
    torch.manual_seed(0)
    model = FadingConvNet()
    with torch.no_grad():
        answers = model.eval()(torch.randn(2, 3, 32, 32))
    assert torch.equal(answers[0], answers[1])
    before = fingerprint(model)
    report = tierproof.check(model, skip=["T1-SPEED"], progress=False)
    assert [f for f in report.findings if f.severity.value == "error"] == []
    assert any("batch norm(s) had no running statistics yet" in text for text in report.model.assumptions)
    assert fingerprint(model) == before


def test_statistics_that_are_there_are_left():
    model = build("small_conv")
    subject = prepare_subject(model)
    assert settle_batch_norms(subject, 0) != ""
    learned = model.stem[1].running_var.clone()
    assert not (learned == 1).any()
    assert settle_batch_norms(subject, 0) == ""
    assert torch.equal(model.stem[1].running_var, learned)


@pytest.mark.parametrize("training", [True, False])
def test_modes_and_momentum_come_back(training):
    model = build("small_conv").train(training)
    settle_batch_norms(prepare_subject(model), 0)
    assert all(module.training is training for module in model.modules())
    assert model.stem[1].momentum == 0.1


def test_a_model_that_refuses_is_left():
    model = build("small_conv")
    subject = prepare_subject(model)

    def refuse(module, arguments):
        raise ValueError("no")

    model.register_forward_pre_hook(refuse)
    assert settle_batch_norms(subject, 0) == ""
    assert model.stem[1].momentum == 0.1
