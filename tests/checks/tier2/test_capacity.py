"""T2-CAPACITY finds what is planted, in its place, and nothing in models drawn at random."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import tierproof as tp
from zoo.decoders import AlibiDecoder, MixtureOfExperts
from zoo.handwritten import CharGPT


def check(model, **options):
    (result,) = tp.check(model, only=["T2-CAPACITY"], progress=False, **options).results
    assert result.outcome.value == "passed", result.reason
    return result


def draw(make, seed=0):
    torch.manual_seed(seed)
    return make()


def grow_a_channel(model):
    model.blocks[1].mlp[2].bias[5] = 500.0


def outgrow_float16(model):
    model.blocks[1].mlp[2].bias[5] = -1e5


def starve_an_expert(model):
    layer = model.layers[1].feed_forward
    layer.router = nn.Linear(32, 4)
    layer.router.bias[2] = -50.0


def silence_units(model):
    model.layers[1].mlp[1].bias[:60] = -50.0


def empty_a_block(model):
    block = model.blocks[1]
    for layer in (block.attn.proj, block.mlp[2]):
        layer.weight.zero_()
        layer.bias.zero_()


def make_all_positions_alike(model):
    model.blocks[1].mlp[2].bias += 1000 * torch.randn(32)


def leave_one_direction(model):
    weight = model.blocks[2].mlp[0].weight
    weight.copy_(weight[:, :1] @ weight[:1])


PLANTED = {
    grow_a_channel: (CharGPT, "T2-CAPACITY-002", "info", "blocks.1"),
    outgrow_float16: (CharGPT, "T2-CAPACITY-002", "warning", "blocks.1"),
    starve_an_expert: (MixtureOfExperts, "T2-CAPACITY-001", "warning", "layers.1.feed_forward.experts"),
    silence_units: (AlibiDecoder, "T2-CAPACITY-004", "warning", "layers.1.mlp.2"),
    empty_a_block: (CharGPT, "T2-CAPACITY-003", "warning", "blocks.1"),
    make_all_positions_alike: (CharGPT, "T2-CAPACITY-005", "warning", "blocks.1"),
    leave_one_direction: (CharGPT, "T2-CAPACITY-006", "info", "blocks.2.mlp.0"),
}

# Large biases make a massive activation as well, and weights of zero have no rank.
ALSO = {make_all_positions_alike: "T2-CAPACITY-002", empty_a_block: "T2-CAPACITY-006"}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_what_is_planted_is_found_in_its_place(plant):
    make, code, severity, where = PLANTED[plant]
    model = draw(make)
    with torch.no_grad():
        plant(model)
    found = {finding.code: finding for finding in check(model).findings}
    assert (found[code].severity.value, found[code].where) == (severity, where)
    assert found[code].hint
    loud = [one for one in found if one not in (code, ALSO.get(plant))]
    assert loud == []


def test_the_planted_place_is_named():
    model = draw(MixtureOfExperts)
    with torch.no_grad():
        starve_an_expert(model)
    (finding,) = check(model).findings
    assert finding.evidence["experts"] == [2]
    assert finding.evidence["choices"] >= 64 * 4
    model = draw(CharGPT)
    with torch.no_grad():
        grow_a_channel(model)
    (finding,) = check(model).findings
    assert finding.evidence["channel"] == 5


@pytest.mark.parametrize("make", [CharGPT, MixtureOfExperts, AlibiDecoder])
def test_nothing_is_found_in_a_random_model(make):
    assert check(draw(make, 1)).findings == ()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_found_in_twenty_random_models(seed):
    for make in (CharGPT, MixtureOfExperts, AlibiDecoder):
        assert check(draw(make, seed)).findings == ()


class Gated(CharGPT):
    """All branches begin at zero, as ReZero has them."""

    def __init__(self):
        super().__init__()
        for block in self.blocks:
            for layer in (block.attn.proj, block.mlp[2]):
                nn.init.zeros_(layer.weight)


def test_blocks_that_begin_at_zero_by_design_are_no_finding():
    assert check(draw(Gated)).findings == ()


class Even(MixtureOfExperts):
    """The routers begin at zero, so the order of the experts decides."""

    def __init__(self):
        super().__init__()
        for layer in self.layers:
            nn.init.zeros_(layer.feed_forward.router.weight)


def test_a_router_that_begins_at_zero_is_an_info():
    assert {finding.severity.value for finding in check(draw(Even)).findings} == {"info"}


def test_an_expert_that_only_the_examples_leave_out_is_an_info():
    model = draw(MixtureOfExperts)
    with torch.no_grad():
        direction = torch.randn(32)
        model.embed.weight[7] = 10 * direction
        for layer in model.layers:
            layer.feed_forward.router.weight[2] -= direction
    (finding,) = check(model, examples=torch.full((2, 16), 7)).findings
    assert (finding.code, finding.severity.value) == ("T2-CAPACITY-001", "info")
    assert "the examples" in finding.message


def test_a_budget_keeps_what_was_measured():
    from tierproof.analysis.capacity.compare_capacity import measure_capacity
    from tierproof.api.analysis.open_subject import open_subject

    asked = []

    def expired():
        asked.append(None)
        return len(asked) > 2

    with open_subject(draw(CharGPT), None, spec=None, seed=0) as opened:
        measured = measure_capacity(opened.subject, opened.examples, expired=expired)
    assert measured.own.stacks
    assert measured.twin is None
    assert "no time was left" in measured.twin_reason
    assert any("no time was left" in each for each in measured.own.unread)


def test_a_model_without_matrices_is_skipped():
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(torch.ones(4))

        def forward(self, x):
            return x * self.gain

    (result,) = tp.check(Scale(), inputs=torch.randn(2, 4), only=["T2-CAPACITY"], progress=False).results
    assert result.outcome.value == "skipped"
    assert "no weight matrix" in result.reason
