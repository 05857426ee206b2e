"""Weights that a model computes in bands, blocks or pieces are put in order; what cannot be is named."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tierproof import attention
from tierproof.analysis.attention.capture_patterns import observe_attention
from tierproof.analysis.attention.head_gates import run_with_gates

BATCH, HEADS, LENGTH, WIDTH, BLOCK = 2, 3, 16, 4, 4


def capture(model, run, batch=BATCH):
    """The patterns of a second pass, by path and kind, after a first that tells what it missed."""
    first = observe_attention(model, run, batch, lambda pattern: None)
    found = []
    second = observe_attention(
        model, run, batch, lambda pattern: found.append((pattern.kind, pattern.read_all())), first.missed
    )
    assert second.failures == []
    return found, first, second


class Windowed(nn.Module):
    """Attention over some keys near each query, in the layout that `form` names."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form
        self.query, self.key, self.value = (nn.Linear(HEADS * WIDTH, HEADS * WIDTH) for _ in range(3))

    def forward(self, x):
        parted = (part(x).view(len(x), LENGTH, HEADS, WIDTH) for part in (self.query, self.key, self.value))
        return getattr(self, self.form)(*(part.transpose(1, 2) for part in parted))

    def project(self, x):
        """Queries and keys, [batch, heads, positions, width]."""
        return [part(x).view(len(x), LENGTH, HEADS, WIDTH).transpose(1, 2) for part in (self.query, self.key)]

    def band(self, q, k, v):
        """Each query sees the keys at most two before it, gathered for it alone."""
        near = torch.arange(LENGTH)[:, None] + torch.arange(-2, 1)
        hidden = near < 0
        scores = torch.einsum("bhqd,bhqkd->bhqk", q, k[:, :, near.clamp(min=0)])
        weights = scores.masked_fill(hidden, float("-inf")).softmax(-1)
        return torch.einsum("bhqk,bhqkd->bhqd", weights, v[:, :, near.clamp(min=0)])

    def multiplied(self, q, k, v):
        """Whole rows, mixed by a product of elements and a sum."""
        weights = (q @ k.transpose(-2, -1)).softmax(-1)
        return (weights.unsqueeze(-1) * v.unsqueeze(2)).sum(3)

    def rolled(self, q, k, v):
        """Blocks of shifted positions, whose scores are copied side by side."""
        q, k, v = (part.roll(-1, 2).unflatten(2, (-1, BLOCK)) for part in (q, k, v))
        scores = q.new_full((*q.shape[:4], 2 * BLOCK), float("-inf"))
        scores[..., :BLOCK] = torch.einsum("bhnqd,bhnkd->bhnqk", q, k)
        scores[:, :, 1:, :, BLOCK:] = torch.einsum("bhnqd,bhnkd->bhnqk", q[:, :, 1:], k[:, :, :-1])
        weights = torch.nn.functional.pad(scores.softmax(-1), (0, 1))
        own = torch.einsum("bhnqk,bhnkd->bhnqd", weights[..., :BLOCK], v)
        before = torch.einsum("bhnqk,bhnkd->bhnqd", weights[:, :, 1:, :, BLOCK:-1], v[:, :, :-1])
        mixed = own + torch.nn.functional.pad(before, (0, 0, 0, 0, 1, 0))
        return mixed.flatten(2, 3).roll(1, 2)

    def summed(self, q, k, v):
        """Scores of neighbours are added: they are of no one key."""
        scores = (q @ k.transpose(-2, -1)).unfold(-1, 2, 2)
        weights = torch.nn.functional.pad((scores[..., 0] + scores[..., 1]).softmax(-1), (0, 1))
        return torch.einsum("bhqk,bhkd->bqhd", weights[..., :-1], v[:, :, ::2])


def see_near(back):
    apart = torch.arange(LENGTH)[:, None] - torch.arange(LENGTH)
    return (apart >= 0) & (apart <= back)


def see_blocks():
    block = (torch.arange(LENGTH) - 1) % LENGTH // BLOCK
    apart = block[:, None] - block
    return (apart == 0) | (apart == 1)


@pytest.mark.parametrize(
    ("form", "seen"), [("band", see_near(2)), ("multiplied", see_near(99) | True), ("rolled", see_blocks())]
)
def test_weights_in_another_layout_are_put_in_order(form, seen):
    torch.manual_seed(0)
    model, x = Windowed(form).eval(), torch.randn(BATCH, LENGTH, HEADS * WIDTH)
    found, first, second = capture(model, lambda: model(x))
    q, k = model.project(x)
    expected = (q @ k.transpose(-2, -1)).masked_fill(~seen, float("-inf")).softmax(-1)
    ((kind, weights),) = found
    assert kind == "softmax in bands"
    torch.testing.assert_close(weights, expected.detach())
    assert "could not be told" in first.unread[0]
    assert second.unread == []


def test_what_cannot_be_put_in_order_is_named():
    torch.manual_seed(0)
    model, x = Windowed("summed").eval(), torch.randn(BATCH, LENGTH, HEADS * WIDTH)
    _, _, second = capture(model, lambda: model(x))
    assert second.missed == {("", 0)}
    assert second.unread == [
        "the model: weights in bands or pieces, whose queries and keys could not be told"
    ]


@pytest.mark.parametrize("form", ["band", "multiplied", "rolled"])
def test_a_head_in_bands_that_is_left_out_leaves_the_others(form):
    torch.manual_seed(0)
    model, x = Windowed(form).eval(), torch.randn(BATCH, LENGTH, HEADS * WIDTH)
    plain = model(x)
    gates = {("", 0): torch.tensor([1.0, 0.0, 1.0])}
    gated, applied = run_with_gates(model, lambda: model(x), BATCH, gates, [("", 0)])
    assert applied == {("", 0)}
    torch.testing.assert_close(gated[:, [0, 2]], plain[:, [0, 2]])
    assert gated[:, 1].count_nonzero() == 0


def test_a_softmax_over_classes_is_no_attention():
    text, image = torch.randn(BATCH, WIDTH), torch.randn(BATCH, WIDTH)
    found, first, _ = capture(nn.Identity(), lambda: (text @ image.T).softmax(-1) * 2.0)
    assert (found, first.unread) == ([], [])


def build_longformer():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.LongformerConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        attention_window=[8, 4], max_position_embeddings=80, pad_token_id=1,
    )  # fmt: skip
    return transformers.LongformerModel(config).eval()


@pytest.mark.parametrize("everywhere", [(), (0, 5)])
def test_longformer_equals_its_own_bands(everywhere):
    """transformers returns [batch, heads, positions, global + window + 1]; column c is of key i + c − window/2."""
    model = build_longformer()
    ids = torch.randint(3, 50, (3, 24))
    mask = torch.zeros_like(ids)
    mask[:, list(everywhere)] = 1
    call = {"input_ids": ids, "global_attention_mask": mask}
    found, _, second = capture(model, lambda: model(**call), batch=3)
    bands = [weights for kind, weights in found if kind == "softmax in bands"]
    assert second.unread == []
    with torch.no_grad():
        returned = model(**call, output_attentions=True).attentions
    for weights, given, half in zip(bands, returned, (4, 2), strict=True):
        expected = torch.zeros_like(weights)
        for i in range(24):
            for column, key in enumerate(everywhere):
                expected[:, :, i, key] += given[:, :, i, column]
            for column in range(2 * half + 1):
                if 0 <= i + column - half < 24:
                    expected[:, :, i, i + column - half] += given[:, :, i, len(everywhere) + column]
        kept = [
            i for i in range(24) if i not in everywhere
        ]  # transformers zeroes the rows that it does not use
        torch.testing.assert_close(weights[:, :, kept], expected[:, :, kept])


def test_pegasus_x_equals_its_own_blocks():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.PegasusXConfig(
        vocab_size=50, d_model=16, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, block_size=8, num_global_tokens=3,
    )  # fmt: skip
    model = transformers.PegasusXModel(config).eval().get_encoder()
    ids = torch.randint(3, 50, (2, 24))
    found, _, second = capture(model, lambda: model(ids))
    assert second.unread == []
    bands = [weights for kind, weights in found if kind == "softmax in bands"]
    with torch.no_grad():
        returned = model(ids, output_attentions=True).attentions
    for weights, given in zip(bands, (each["local"] for each in returned), strict=True):
        blocks = given.shape[2]
        expected = torch.zeros_like(weights)
        for block in range(blocks):
            rows = slice(block * 8, block * 8 + 8)
            expected[:, :, rows, :3] = given[:, :, block, :, :3]
            expected[:, :, rows, 3 + block * 8 : 11 + block * 8] = given[:, :, block, :, 3:]
        torch.testing.assert_close(weights, expected)


def test_big_bird_has_whole_rows_for_the_queries_of_each_softmax():
    """Blocks at both ends have softmaxes of their own; the middle sees window, ends and random blocks."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.BigBirdConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        attention_type="block_sparse", block_size=4, num_random_blocks=1, max_position_embeddings=128,
    )  # fmt: skip
    model = transformers.BigBirdModel(config).eval()
    view = attention(model, [torch.randint(3, 50, (1, 96))], maps=False)
    assert [(each.queries, each.keys) for each in view.patterns] == [
        (4, 96),
        (4, 20),
        (80, 96),
        (4, 20),
        (4, 96),
    ]
    assert all(each.sum_error < 1e-5 for each in view.patterns)
    assert view.rolled.rollouts == ()


def test_attention_of_a_windowed_model_is_measured_and_shown():
    view = attention(build_longformer())
    assert view.unread == ()
    assert [pattern.kind for pattern in view.patterns] == ["softmax in bands"] * 2
    assert all(head.local > 0.2 for pattern in view.patterns for head in pattern.heads)
    assert view.maps.missed == ()
    assert view.maps.kept == 4
