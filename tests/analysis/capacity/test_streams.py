"""The residual stream and the logit lens equal what a hand-written forward pass gives."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tierproof as tp
from zoo.decoders import GptJ
from zoo.handwritten import CharGPT
from zoo.pretrained_configs import bert


@pytest.fixture(scope="module")
def measured():
    torch.manual_seed(0)
    model = CharGPT(layers=4).eval()
    for block in model.blocks:  # of a size at which layers differ
        nn.init.normal_(block.mlp[2].weight, std=0.2)
    tokens = torch.randint(0, 65, (2, 24))
    states = [model.token(tokens) + model.position(torch.arange(24))]
    for block in model.blocks:
        states.append(block(states[-1]))
    states = [state.detach() for state in states]
    return model, states, tp.capacity(model, examples=tokens)


def test_states_are_those_of_the_layers(measured):
    _, states, view = measured
    (stack,) = view.own.stacks
    assert stack.path == "blocks"
    assert stack.positions == 48
    for place, (found, state) in enumerate(zip(stack.states, states, strict=True)):
        rows = state.flatten(0, 1).double()
        assert found.norm == pytest.approx(float(rows.norm(dim=1).mean()), rel=1e-5)
        spread = (rows - rows.mean(0)).square().sum() / rows.square().sum()
        assert found.spread == pytest.approx(float(spread.sqrt()), rel=1e-5)
        channels = ((rows - rows.mean(0)).square().mean(0) / rows.square().mean(0)).sqrt()
        assert found.channel_spread == pytest.approx(float(channels.median()), rel=1e-5)
        assert found.largest == pytest.approx(float(rows.abs().max()), rel=1e-6)
        assert found.median == pytest.approx(float(rows.abs().median()), rel=1e-3)
        assert float(state[:, found.position, found.channel].abs().max()) == pytest.approx(found.largest)
        peaks = rows.abs().amax(0)
        assert found.outlier_ratio == pytest.approx(float(peaks.max() / peaks.median()), rel=1e-5)
        if place:
            before = states[place - 1].flatten(0, 1).double()
            share = ((rows - before).norm(dim=1) / before.norm(dim=1)).mean()
            assert found.update == pytest.approx(float(share), rel=1e-5)


def test_the_lens_is_norm_and_head(measured):
    model, states, view = measured
    with torch.no_grad():
        logits = [model.head(model.norm(state)).flatten(0, 1) for state in states]
    final = logits[-1]
    for found, own in zip(view.own.stacks[0].states, logits, strict=True):
        assert found.agreement == pytest.approx(float((own.argmax(-1) == final.argmax(-1)).float().mean()))
        expected = F.kl_div(
            own.log_softmax(-1), final.log_softmax(-1), log_target=True, reduction="batchmean"
        )
        assert found.divergence_nats == pytest.approx(float(expected), abs=1e-6)


def test_a_lens_that_does_not_give_the_answer_is_not_believed():
    class Skips(CharGPT):
        def forward(self, idx):
            first = x = self.token(idx)
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x)) + self.head(self.blocks[0](first))

    view = tp.capacity(Skips(), twin=False)
    assert all(state.agreement is None for state in view.own.stacks[0].states)
    assert any(each.startswith("logit lens of `blocks`: ") for each in view.own.unread)


def test_lists_that_are_no_stream_are_told_from_layers():
    view = tp.capacity(GptJ(), twin=False)
    assert view.own.stacks == ()
    assert any("residual stream" in each for each in view.own.unread)


def test_padding_counts_for_nothing():
    model = bert().eval()
    tokens = torch.randint(5, 99, (1, 10))
    padded = F.pad(tokens, (0, 6), value=7)
    mask = F.pad(torch.ones_like(tokens), (0, 6))
    whole = tp.capacity(
        model, examples=[{"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}], twin=False
    )
    cut = tp.capacity(model, examples=[{"input_ids": padded, "attention_mask": mask}], twin=False)
    assert whole.own.positions == cut.own.positions == 10
    for one, other in zip(whole.own.stacks[0].states, cut.own.stacks[0].states, strict=True):
        assert one.norm == pytest.approx(other.norm, rel=1e-4)
        assert one.agreement == pytest.approx(other.agreement)
    nothing = tp.capacity(
        model, examples=[{"input_ids": padded, "attention_mask": torch.zeros_like(mask)}], twin=False
    )
    assert nothing.own.positions == 0
    assert nothing.own.stacks == ()
