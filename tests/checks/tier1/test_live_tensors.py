from __future__ import annotations

import pytest
import torch

from tierproof.checks.check import CheckContext
from tierproof.checks.tier1.live_tensors import CHECK
from tierproof.model.describe.prepare_subject import prepare_subject
from tierproof.model.preserve.preserve import preserve
from zoo.handwritten import CharGPT, build


def run(model):
    with preserve(model):
        return CHECK.run(CheckContext(prepare_subject(model)))


class Keeping(CharGPT):
    """Keeps something of every forward pass in the block that `keep` names."""

    def __init__(self, keep):
        super().__init__()
        self.keep = keep
        self.blocks[1].seen = []

    def forward(self, idx):
        logits = super().forward(idx)
        self.keep(self.blocks[1].seen, logits)
        return logits


def append_tensor(seen, logits):
    seen.append(logits.mean())


def append_detached(seen, logits):
    seen.append(logits.detach())


def append_number(seen, logits):
    seen.append(logits.mean().item())


def keep_last(seen, logits):
    seen[:] = [logits.detach()]


def keep_three(seen, logits):
    seen[:] = [*seen[-2:], logits.detach()]


@pytest.mark.parametrize("keep", [append_tensor, append_detached])
def test_a_growing_history_is_named(keep):
    (finding,) = run(Keeping(keep)).findings
    assert (finding.code, finding.where) == ("T1-LIVE-001", "blocks.1")
    assert finding.evidence["attribute"] == "seen"
    assert finding.evidence["tensors_per_step"] == 1


@pytest.mark.parametrize("keep", [append_number, keep_last, keep_three])
def test_bounded_memory_is_healthy(keep):
    assert run(Keeping(keep)).findings == ()


class Carrying(CharGPT):
    """Adds a state that still has its graph to the next pass."""

    def __init__(self):
        super().__init__()
        self.state = None

    def forward(self, idx):
        logits = super().forward(idx)
        if self.state is not None:
            logits = logits + 0.1 * self.state
        self.state = logits.mean()
        return logits


def test_a_carried_graph_is_named():
    (finding,) = run(Carrying()).findings
    assert (finding.code, finding.evidence["attribute"]) == ("T1-LIVE-002", "state")


def test_frozen_models_are_skipped():
    assert run(build("mlp").requires_grad_(False)).skipped


def test_a_forward_that_fails_in_training_is_left_to_others():
    class Fails(torch.nn.Linear):
        def forward(self, x):
            if self.training:
                raise RuntimeError("no training")
            return super().forward(x)

    assert "no training" in run(Fails(3, 3)).skipped


def count_passes(model):
    passes = []
    with preserve(model):
        subject = prepare_subject(model)
        subject.model.register_forward_hook(lambda *_: passes.append(1))
        CHECK.run(CheckContext(subject))
    return len(passes)


def test_steps_end_as_soon_as_no_growth_can_be_steady():
    assert count_passes(Keeping(append_detached)) == 5
    assert count_passes(Keeping(append_number)) == 3


def test_growth_that_begins_in_the_second_step_is_found():
    def append_later(seen, logits):
        seen.append(logits.detach() if len(seen) > 1 else None)

    (finding,) = run(Keeping(append_later)).findings
    assert finding.code == "T1-LIVE-001"
