"""One training step is timed, or forward passes where a model cannot be trained."""

from __future__ import annotations

import pytest

from tierproof.model.costs.step_time import measure_step_time
from tierproof.model.describe.prepare_subject import prepare_subject
from zoo.handwritten import HANDWRITTEN, CharGPT, build


@pytest.mark.parametrize("name", HANDWRITTEN)
def test_a_step_is_timed(name):
    found = measure_step_time(prepare_subject(build(name)), 0)
    assert found.trained
    assert 0 < found.seconds < 30


def test_what_cannot_be_trained_is_timed_forwards():
    model = build("mlp")
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    assert not measure_step_time(prepare_subject(model), 0).trained


def test_what_raises_while_training_is_timed_forwards():
    class Fails(CharGPT):
        def forward(self, idx):
            if self.training:
                raise RuntimeError("not now")
            return super().forward(idx)

    found = measure_step_time(prepare_subject(Fails()), 0)
    assert not found.trained
    assert found.seconds > 0
