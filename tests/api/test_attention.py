from __future__ import annotations

import json
import math

import pytest
import torch
from torch import nn

import tierproof as tp
from tierproof.errors import TierproofError, UsageError
from zoo.handwritten import CharGPT, build


def test_every_head_of_a_written_out_model():
    model = CharGPT()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.train()
    view = tp.attention(model)
    assert [pattern.path for pattern in view.patterns] == [f"blocks.{n}.attn" for n in range(3)]
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    for pattern in view.patterns:
        assert pattern.queries == pattern.keys
        assert pattern.sum_error < 1e-5
        for head in pattern.heads:
            assert 0 <= head.relative_entropy <= 1 + 1e-6
            assert head.induction is not None


def test_given_examples_are_used_as_they_are():
    model = CharGPT()
    tokens = torch.randint(0, 20, (3, 7))
    view = tp.attention(model, tokens)
    assert view.measured.period is None
    assert {pattern.queries for pattern in view.patterns} == {7}
    assert all(head.induction is None for pattern in view.patterns for head in pattern.heads)


def test_cross_attention_has_no_positions_in_common():
    patterns = {pattern.path: pattern for pattern in tp.attention(build("seq2seq")).patterns}
    assert len(patterns) == 6
    for path, pattern in patterns.items():
        crossed = "multihead_attn" in path
        assert (pattern.queries != pattern.keys) == crossed
        assert all((head.distance is None) == crossed for head in pattern.heads)
        # Only the encoder's tokens repeat.
        assert all((head.induction is not None) == (".encoder." in path) for head in pattern.heads)


def test_the_document_is_plain_json(tmp_path):
    view = tp.attention(build("mha_decoder"))
    document = json.loads(view.save(tmp_path / "attention.json").read_text())
    assert document["format_version"] == 1
    assert document["patterns"][0]["heads"][0].keys() >= {"entropy_nats", "induction", "previous"}
    assert math.isclose(document["patterns"][0]["agreement"][0][0], 1.0, rel_tol=1e-6)


def test_the_page_without_maps_needs_no_network_and_no_script(tmp_path):
    page = tp.attention(CharGPT(), maps=False).save(tmp_path / "attention.html").read_text()
    assert "http" not in page
    assert "<script" not in page
    assert page.count("aria-label") == sum(len(p.heads) for p in tp.attention(CharGPT()).patterns)


def test_a_figure_has_a_cell_for_each_head(tmp_path):
    view = tp.attention(CharGPT())
    assert len(view.figure().axes[0].patches) == sum(len(p.heads) for p in view.patterns)
    assert view.save(tmp_path / "attention.svg").read_text().startswith("<svg")


def test_a_name_that_says_no_format_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot save to attention"):
        tp.attention(CharGPT()).save(tmp_path / "attention.txt")


def test_a_model_without_attention():
    view = tp.attention(nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)))
    assert view.patterns == ()
    assert "No attention was recognised" in view._repr_html_()
    with pytest.raises(UsageError, match="nothing to draw"):
        view.figure()


def test_a_model_that_raises_is_refused():
    class Raises(CharGPT):
        def forward(self, idx):
            raise ValueError("no")

    with pytest.raises(TierproofError):
        tp.attention(Raises())


class Planted(nn.Module):
    """Heads of known behaviour by construction: the scores depend on positions and tokens alone."""

    HEADS = ("previous", "first", "diagonal", "duplicate", "induction", "uniform")

    def __init__(self, vocab=50, width=12):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.head = nn.Linear(width, vocab)

    def forward(self, tokens):
        x = self.embed(tokens)
        length = tokens.shape[1]
        at = torch.arange(length)
        same = tokens[:, :, None] == tokens[:, None, :]
        before = at[:, None] > at[None, :]
        twin = (same & before).float()
        after = torch.zeros_like(twin)
        after[:, :, 1:] = twin[:, :, :-1]
        wanted = [
            (at[:, None] - 1 == at[None, :]).float().expand(len(tokens), -1, -1),
            (at[None, :] == 0).float().expand(len(tokens), length, -1),
            torch.eye(length).expand(len(tokens), -1, -1),
            twin,
            after,
            torch.zeros_like(twin),
        ]
        q = torch.stack([30.0 * each for each in wanted], 1)  # queries that ask for keys by their place
        k = torch.eye(length).expand_as(q)
        scores = (q @ k.transpose(-2, -1)).masked_fill(
            torch.ones(length, length).triu(1).bool(), float("-inf")
        )
        mixed = scores.softmax(-1) @ x[:, None].expand(-1, len(wanted), -1, -1)
        return self.head(x + mixed.mean(1))


def test_planted_heads_are_found_in_their_place():
    torch.manual_seed(0)
    (pattern,) = tp.attention(Planted()).patterns
    scores = dict(zip(Planted.HEADS, pattern.heads, strict=True))
    assert scores["previous"].previous > 0.9
    assert scores["first"].first > 0.95
    assert scores["diagonal"].diagonal > 0.95
    assert scores["duplicate"].duplicate > 0.6
    assert scores["induction"].induction > 0.6
    assert scores["uniform"].relative_entropy == pytest.approx(1, abs=1e-4)
    for name in ("previous", "first", "diagonal", "duplicate", "induction"):
        others = [getattr(head, name) for other, head in scores.items() if other != name]
        assert getattr(scores[name], name) > max(others) + 0.3
