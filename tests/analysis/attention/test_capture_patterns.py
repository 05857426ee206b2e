from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from sampled import sample
from tierproof.analysis.attention.capture_patterns import observe_attention
from zoo.handwritten import CharGPT

LENGTH, BATCH, WIDTH, HEADS = 6, 3, 8, 2


def capture(model, *inputs, batch=BATCH, **keywords):
    found = []

    def keep(pattern):
        found.append((pattern.path, pattern.kind, pattern.read_all()))

    observed = observe_attention(model, lambda: model(*inputs, **keywords), batch, keep)
    assert observed.failures == []
    assert observed.unread == []
    return found


OPTIONS = list(
    itertools.product(
        [False, True],  # bias_kv
        [False, True],  # zero_attn
        [None, "bool", "float"],  # padding
        [None, "bool", "float", "by head"],  # mask
        [False, True],  # other widths
    )
)


@pytest.mark.parametrize(("bias_kv", "zero", "padding", "mask", "widths"), sample(OPTIONS, 5))
def test_the_weights_of_multihead_attention(bias_kv, zero, padding, mask, widths):
    torch.manual_seed(0)
    sizes = {"kdim": 5, "vdim": 7} if widths else {}
    layer = nn.MultiheadAttention(
        WIDTH, HEADS, batch_first=True, add_bias_kv=bias_kv, add_zero_attn=zero, **sizes
    ).eval()
    query = torch.randn(BATCH, LENGTH, WIDTH)
    key, value = (torch.randn(BATCH, 4, sizes.get(name, WIDTH)) for name in ("kdim", "vdim"))
    hidden = torch.zeros(BATCH, 4, dtype=torch.bool)
    hidden[0, -1] = True
    padding = {None: None, "bool": hidden, "float": torch.zeros(BATCH, 4).masked_fill(hidden, -7.0)}[padding]
    late = torch.ones(LENGTH, 4).triu(2).bool()
    masks = {
        None: None,
        "bool": late,
        "float": late * -3.0,
        "by head": torch.randn(BATCH * HEADS, LENGTH, 4),
    }
    given = {"key_padding_mask": padding, "attn_mask": masks[mask], "average_attn_weights": False}
    with torch.no_grad():
        _, expected = layer(query, key, value, need_weights=True, **given)
    ((path, kind, weights),) = capture(layer, query, key, value, need_weights=False, **given)
    assert (path, kind) == ("", "multi_head_attention")
    torch.testing.assert_close(weights, expected)


@pytest.mark.parametrize("batch_first", [False, True])
def test_the_fused_path_of_an_encoder_is_captured(batch_first):
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 16, batch_first=batch_first)
    encoder = nn.TransformerEncoder(layer, 2).eval()
    shape = (BATCH, LENGTH, WIDTH) if batch_first else (LENGTH, BATCH, WIDTH)
    found = capture(encoder, torch.randn(shape))
    assert [path for path, _, _ in found] == ["layers.0.self_attn", "layers.1.self_attn"]
    for _, _, weights in found:
        assert weights.shape == (BATCH, HEADS, LENGTH, LENGTH)
        torch.testing.assert_close(weights.sum(-1), torch.ones(BATCH, HEADS, LENGTH))


def test_written_out_attention_is_captured():
    model = CharGPT().eval()
    found = capture(model, torch.randint(0, 20, (BATCH, LENGTH)))
    assert len(found) == len(model.blocks)
    for _, kind, weights in found:
        assert kind in ("softmax", "scaled_dot_product_attention")
        assert weights.triu(1).count_nonzero() == 0


class Written(nn.Module):
    """Attention in the layout that `form` names; all of one meaning."""

    def __init__(self, form):
        super().__init__()
        self.form = form
        self.project = nn.Linear(WIDTH, 3 * WIDTH)

    def forward(self, x):
        q, k, v = self.project(x).reshape(BATCH, LENGTH, 3, HEADS, WIDTH // HEADS).unbind(2)
        root = (WIDTH // HEADS) ** -0.5
        if self.form == "einsum":
            weights = (torch.einsum("bqhd,bkhd->bhqk", q, k) * root).softmax(-1)
            return torch.einsum("bhqk,bkhd->bqhd", weights, v)
        if self.form == "keys first":
            weights = (torch.einsum("bqhd,bkhd->bhkq", q, k) * root).softmax(-2)
            return torch.einsum("bhkq,bkhd->bqhd", weights, v)
        q, k, v = (part.transpose(1, 2) for part in (q, k, v))
        if self.form == "one axis":
            q, k, v = (part.flatten(0, 1) for part in (q, k, v))
        if self.form == "fused":
            return torch.nn.functional.scaled_dot_product_attention(q, k, v)
        weights = (q @ k.transpose(-2, -1) * root).softmax(-1)
        return torch.bmm(weights, v) if self.form == "one axis" else weights @ v


@pytest.mark.parametrize("form", ["einsum", "keys first", "one axis", "fused", "matmul"])
def test_every_layout_gives_the_same_weights(form):
    torch.manual_seed(0)
    model, x = Written(form), torch.randn(BATCH, LENGTH, WIDTH)
    plain = Written("matmul")
    plain.load_state_dict(model.state_dict())
    ((_, _, expected),) = capture(plain, x)
    ((_, _, weights),) = capture(model, x)
    assert weights.shape == (BATCH, HEADS, LENGTH, LENGTH)
    torch.testing.assert_close(weights, expected)


def test_a_model_without_attention_has_no_pattern():
    assert capture(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), torch.randn(BATCH, 4)) == []


def test_the_pass_keeps_no_activation():
    model, alive = Written("matmul"), []

    def count(pattern):
        pattern.read_all()
        alive.append(len(observed_marks()))

    from tierproof.analysis.attention import capture_patterns

    marks = []
    original = capture_patterns.PatternCapture.__init__

    def remember(self, *arguments):
        original(self, *arguments)
        marks.append(self._marks)

    def observed_marks():
        return marks[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(capture_patterns.PatternCapture, "__init__", remember)
        observe_attention(model, lambda: model(torch.randn(BATCH, LENGTH, WIDTH)), BATCH, count)
    assert marks[-1] == {}
