"""Attention that is not written as one softmax: exponentials, flex_attention, a learned sink, none at all."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tierproof.analysis.attention.capture_patterns import observe_attention
from tierproof.analysis.attention.head_gates import run_with_gates
from tierproof.analysis.attention.measure_pattern import measure_pattern

BATCH, HEADS, LENGTH, WIDTH = 3, 2, 16, 8


def look(run, model=None):
    found = []

    def keep(pattern):
        found.append((pattern.kind, pattern.read_all(), measure_pattern(pattern)))

    observed = observe_attention(model or nn.Identity(), run, BATCH, keep)
    assert observed.failures == []
    return found, observed.unread


@pytest.fixture
def parts():
    torch.manual_seed(0)
    return [torch.randn(BATCH, HEADS, LENGTH, WIDTH) for _ in range(3)]


@pytest.mark.parametrize("form", ["divided before", "divided after", "largest subtracted"])
def test_a_softmax_written_as_exponentials(form, parts):
    q, k, v = parts

    def run():
        scores = q @ k.transpose(-2, -1) / WIDTH**0.5
        if form == "largest subtracted":
            scores = scores - scores.amax(-1, keepdim=True)
        raised = scores.exp()
        if form == "divided after":
            return (raised @ v) / raised.sum(-1, keepdim=True)
        return (raised / raised.sum(-1, keepdim=True)) @ v

    ((kind, weights, _),), unread = look(run)
    assert (kind, unread) == ("exponentials", [])
    torch.testing.assert_close(weights, (q @ k.transpose(-2, -1) / WIDTH**0.5).softmax(-1))


def test_linear_attention_is_named(parts):
    q, k, v = parts
    found, unread = look(lambda: q.relu() @ (k.relu().transpose(-2, -1) @ v))
    assert found == []
    assert "linear attention" in unread[0]


def test_a_linear_layer_that_is_written_out_is_no_attention():
    layer = nn.Linear(WIDTH, WIDTH)
    x = torch.randn(BATCH, LENGTH, WIDTH)
    assert look(lambda: (x @ layer.weight.T) @ layer.weight.t()) == ([], [])


def test_a_learned_sink_takes_weight_from_the_keys(parts):
    q, k, v = parts
    sink = torch.full((BATCH, HEADS, LENGTH, 1), 2.0)

    def run():
        scores = q @ k.transpose(-2, -1) / WIDTH**0.5
        return torch.cat([scores, sink], -1).softmax(-1)[..., :-1] @ v

    ((_, weights, measured),), _ = look(run)
    for number, head in enumerate(measured.heads):
        assert head.sink == pytest.approx(float(1 - weights[:, number].sum(-1).mean()), abs=1e-6)
        assert head.sink > 0.05


@pytest.mark.parametrize("shared", [1, 2])
def test_flex_attention_is_recomputed_from_its_functions(shared):
    flex = pytest.importorskip("torch.nn.attention.flex_attention")
    torch.manual_seed(0)
    q = torch.randn(BATCH, 4, LENGTH, WIDTH)
    k, v = (torch.randn(BATCH, 4 // shared, LENGTH, WIDTH) for _ in range(2))
    mask = flex.create_block_mask(lambda b, h, i, j: i >= j, None, None, LENGTH, LENGTH, device="cpu")
    run = lambda: flex.flex_attention(  # noqa: E731
        q, k, v, score_mod=lambda s, b, h, i, j: s + 0.1 * h * (j - i), block_mask=mask, enable_gqa=shared > 1
    )
    ((kind, weights, _),), _ = look(run)
    assert kind == "flex_attention"
    keys = k.repeat_interleave(shared, 1)
    places = torch.arange(LENGTH)
    scores = q @ keys.transpose(-2, -1) / WIDTH**0.5
    scores = scores + 0.1 * torch.arange(4)[:, None, None] * (places[None] - places[:, None])
    expected = scores.masked_fill(places[None] > places[:, None], float("-inf")).softmax(-1)
    torch.testing.assert_close(weights, expected)


class Layouts(nn.Module):
    """One attention in the layout that `form` names; its result is the heads' outputs, joined."""

    def __init__(self, form):
        super().__init__()
        self.form = form

    def forward(self, q, k, v):
        if self.form == "fused":
            return torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        weights = (q @ k.transpose(-2, -1) / WIDTH**0.5).softmax(-1)
        if self.form == "einsum":
            return torch.einsum("bhqk,bkhd->bqhd", weights, v.transpose(1, 2)).flatten(2)
        if self.form == "one axis":
            mixed = torch.bmm(weights.flatten(0, 1), v.flatten(0, 1)).unflatten(0, (BATCH, HEADS))
            return mixed.transpose(1, 2).flatten(2)
        return (weights @ v).transpose(1, 2).flatten(2)


@pytest.mark.parametrize("form", ["fused", "matmul", "einsum", "one axis"])
def test_a_head_that_is_left_out_leaves_the_others(form, parts):
    model = Layouts(form)
    plain = model(*parts)
    gates = {("", 0): torch.tensor([1.0, 0.0])}
    gated, applied = run_with_gates(model, lambda: model(*parts), BATCH, gates)
    assert applied == {("", 0)}
    torch.testing.assert_close(gated[..., :WIDTH], plain[..., :WIDTH])
    assert gated[..., WIDTH:].count_nonzero() == 0


def test_a_head_of_multihead_attention_is_left_out():
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(HEADS * WIDTH, HEADS, batch_first=True).eval()
    x = torch.randn(BATCH, LENGTH, HEADS * WIDTH)
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    gates = {("", 0): torch.tensor([0.0, 1.0])}
    with torch.no_grad():
        (gated, _), _ = run_with_gates(layer, lambda: layer(x, x, x, need_weights=False), BATCH, gates)
        assert all(torch.equal(before[name], tensor) for name, tensor in layer.state_dict().items())
        layer.out_proj.weight[:, :WIDTH] = 0
        expected, _ = layer(x, x, x, need_weights=False)
    torch.testing.assert_close(gated, expected)
