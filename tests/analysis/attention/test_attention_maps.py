"""The maps that are kept: exact to the error that they tell, pooled as they say, and within their budget."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tierproof as tp
from tierproof.analysis.attention import attention_maps_capture as capture
from tierproof.analysis.attention.attention_maps_labels import find_grid
from zoo.handwritten import CharGPT, build


class Scores(nn.Module):
    """One attention operation whose weights are those given, whatever the tokens are."""

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.embed = nn.Embedding(30, 8)
        self.scores = nn.Parameter(weights.clamp(min=1e-30).log())

    def forward(self, tokens):
        x = self.embed(tokens)
        length = tokens.shape[1]
        values = x[:, None].expand(-1, len(self.scores), -1, -1)
        mask = self.scores[None, :, :length, :length]
        return F.scaled_dot_product_attention(0 * values, values, values, attn_mask=mask).mean(1)


def random_weights(heads: int, length: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return (4 * torch.randn(heads, length, length, generator=generator)).softmax(-1)


def view_of(weights: torch.Tensor, **options):
    length = weights.shape[-1]
    return tp.attention(Scores(weights), torch.arange(length)[None] % 30, **options)


def test_weights_come_back_within_the_error_that_is_told():
    weights = random_weights(3, 20)
    maps = view_of(weights).maps
    (pattern,) = maps.patterns
    read = torch.tensor([pattern.decode(head) for head in range(3)])
    worst = float((read - weights).abs().max())
    assert worst <= maps.largest_error + 1e-6
    assert maps.largest_error == pytest.approx(worst, abs=1e-6)
    assert maps.largest_error <= 1 / 255
    assert (pattern.rows, pattern.columns, maps.pooled, maps.beyond) == (20, 20, False, 0)


def test_longer_maps_are_pooled_by_sums_over_keys_and_means_over_queries():
    length = 601
    weights = random_weights(1, length)
    assert view_of(weights).maps is None  # by default nothing is pooled
    maps = view_of(weights, maps=True).maps
    (pattern,) = maps.patterns
    assert (pattern.query_step, pattern.rows, pattern.columns) == (3, 201, 201)
    read = torch.tensor(pattern.decode(0))
    expected = torch.stack(
        [
            torch.stack([weights[0, q : q + 3, k : k + 3].sum(-1).mean() for k in range(0, length, 3)])
            for q in (0, 300, 600)
        ]
    )
    assert torch.allclose(read[[0, 100, 200]], expected, atol=maps.largest_error + 1e-6)
    assert maps.pooled


def test_heads_beyond_the_budget_are_left_out_the_weakest_role_first(monkeypatch):
    length = 10
    uniform = torch.full((length, length), 1 / length)
    weights = torch.stack([uniform, torch.eye(length), uniform, torch.eye(length)])
    monkeypatch.setattr(capture, "USUAL_BYTES", 2 * length * length + 50)
    view = view_of(weights)
    assert view.maps.patterns[0].heads == (1, 3)
    assert "Maps of 2 heads fit into the limit" in view._repr_html_()
    with pytest.raises(ValueError, match="head 0"):
        view.maps.patterns[0].decode(0)


def test_not_numbers_are_counted():
    class Broken(CharGPT):
        pass

    model = Broken()
    with torch.no_grad():
        model.blocks[1].attn.qkv.weight[0] = math.nan
    try:
        view = tp.attention(model, torch.arange(5)[None])
    except tp.TierproofError:
        pytest.skip("such a model is refused before")
    assert view.maps.beyond > 0
    assert "no number from 0 to 1" in view._repr_html_()


def test_causal_attention_is_told_from_full():
    causal = tp.attention(CharGPT()).maps
    assert all(pattern.causal for pattern in causal.patterns)
    assert not view_of(random_weights(1, 6)).maps.patterns[0].causal


def test_source_and_target_have_labels_of_their_own():
    maps = tp.attention(build("seq2seq")).maps
    named = {each.path: (each.query_labels, each.key_labels) for each in maps.patterns}
    source = next(pair for path, pair in named.items() if ".encoder." in path)
    crossed = next(pair for path, pair in named.items() if "multihead_attn" in path)
    target = next(pair for path, pair in named.items() if ".decoder." in path and "self_attn" in path)
    assert source[0] == source[1] != target[0] == target[1]
    assert crossed == (target[0], source[0])


def test_one_token_and_no_attention():
    assert view_of(torch.ones(2, 1, 1)).maps.patterns[0].decode(1) == [[1.0]]
    assert tp.attention(nn.Linear(4, 4)).maps is None
    assert tp.attention(CharGPT(), maps=False).maps is None


@pytest.mark.parametrize(
    ("size", "positions", "grid"),
    [
        ((224, 224), 197, (14, 14)),
        ((224, 224), 196, (14, 14)),
        ((96, 96), 41, (6, 6)),  # four registers and a class token
        ((32, 64), 8, (2, 4)),
        ((64, 64), 100, None),  # learned queries, not patches
        ((224, 224), 2, None),
        ((1, 1), 5, None),
    ],
)
def test_patches_of_an_image(size, positions, grid):
    assert find_grid(size, positions) == grid
