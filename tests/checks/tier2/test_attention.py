"""T2-ATTENTION finds what is planted in its place, and nothing in models where nothing was."""

from __future__ import annotations

from statistics import median

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from checks.planting import alarms, find, run_check
from checks.tier2.planted_transformer import HEADS, PlantedTransformer
from tierproof.analysis.attention.head_gates import run_with_gates
from tierproof.analysis.attention.measure_attention import measure_attention
from tierproof.analysis.examples.read_examples import read_examples
from tierproof.checks.tier2.attention.attention import CHECK
from tierproof.model.describe.prepare_subject import prepare_subject
from zoo.handwritten import CharGPT


def codes(output):
    return {(f.code[-3:], f.where, f.evidence.get("head")) for f in alarms(output)}


def test_previous_token_and_induction_heads_are_told_in_their_place():
    model = PlantedTransformer()
    model.plant_previous(0, 1)
    model.plant_induction(1, 2)
    output = run_check(CHECK, model)
    assert alarms(output) == []
    told = {f.evidence["role"]: f.evidence["heads"] for f in output.findings if f.code.endswith("006")}
    assert told == {"previous": ["layers.0 head 1"], "induction": ["layers.1 head 2"]}
    (_, second) = output.measurements.patterns
    scores = [head.induction for head in second.heads]
    assert scores[2] > 0.7  # a token that is drawn twice has two first places
    assert max(scores[:2] + scores[3:]) < 0.1


def test_a_dead_head_is_found_in_its_place():
    model = PlantedTransformer()
    model.plant_dead(1, 3)
    assert codes(run_check(CHECK, model)) == {("001", "layers.1", 3)}


def test_two_equal_heads_are_found_in_their_place():
    model = PlantedTransformer()
    model.plant_equal(0, 0, 2)
    output = run_check(CHECK, model)
    assert codes(output) == {("002", "layers.0", None)}
    assert find(output, "T2-ATTENTION-002").evidence["heads"] == [0, 2]


def test_a_collapsed_layer_is_found_in_its_place():
    model = PlantedTransformer()
    model.plant_collapse(1)
    assert codes(run_check(CHECK, model)) == {("003", "layers.1", None)}


def test_a_layer_whose_queries_are_zero_is_collapsed():
    model = PlantedTransformer()
    model.plant_collapse(0)
    with torch.no_grad():
        model.layers[0].q.bias.zero_()
    assert codes(run_check(CHECK, model)) == {("003", "layers.0", None)}


def test_an_even_head_is_found_among_sharp_ones():
    model = PlantedTransformer()
    for layer in (0, 1):
        for head in range(HEADS):
            model.plant_previous(layer, head)
    model.plant_even(1, 1)
    found = [f for f in run_check(CHECK, model).findings if f.code == "T2-ATTENTION-004"]
    assert [(f.where, f.evidence["head"]) for f in found] == [("layers.1", 1)]


@pytest.mark.parametrize("seed", [0, 1, pytest.param(range(2, 20), marks=pytest.mark.slow)])
def test_random_transformers_get_no_finding(seed):
    for each in seed if isinstance(seed, range) else [seed]:
        assert run_check(CHECK, PlantedTransformer(each)).findings == ()


class SharedKeys(nn.Module):
    """Four query heads share one key and one value head, as in multi-query attention."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed, self.head = nn.Embedding(30, 32), nn.Linear(32, 30)
        self.q, self.kv = nn.Linear(32, 32), nn.Linear(32, 16)

    def forward(self, tokens):
        x = self.embed(tokens)
        q = self.q(x).unflatten(-1, (4, 8)).transpose(1, 2)
        k, v = self.kv(x).unsqueeze(1).chunk(2, -1)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self.head(x + mixed.transpose(1, 2).flatten(2))


def test_shared_keys_and_values_are_no_duplicates():
    assert alarms(run_check(CHECK, SharedKeys())) == []


class Sink(SharedKeys):
    """Every query puts nearly all weight on the first position."""

    def forward(self, tokens):
        x = self.embed(tokens)
        bias = torch.zeros(tokens.shape[1], tokens.shape[1])
        bias[:, 0] = 8.0
        bias = bias.masked_fill(torch.ones_like(bias).triu(1).bool(), float("-inf"))
        q, (k, v) = self.q(x), self.kv(x).repeat(1, 1, 4).chunk(2, -1)
        q, k, v = (part.unflatten(-1, (4, 8)).transpose(1, 2) for part in (q, k, v))
        return self.head(x + F.scaled_dot_product_attention(q, k, v, bias).transpose(1, 2).flatten(2))


def test_a_sink_is_told_and_no_alarm():
    output = run_check(CHECK, Sink())
    assert [f.code for f in output.findings if f.code.endswith("003")] == []
    assert find(output, "T2-ATTENTION-005").evidence["share"] == 1.0


def test_weights_that_are_not_finite_are_skipped_with_a_reason():
    model = CharGPT()
    with torch.no_grad():
        model.blocks[0].attn.qkv.weight.fill_(float("nan"))
    assert "not finite" in run_check(CHECK, model).skipped


def test_a_model_without_attention_is_skipped_with_a_reason():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    assert "no attention was recognised" in run_check(CHECK, model).skipped


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_model_trained_on_repeats_shows_induction_heads_that_matter():
    """The period is drawn for each row, so that no fixed offset will do; a head matters by the loss without it."""
    model = _train_on_repeats()
    subject = prepare_subject(model)
    model.eval()
    measured = measure_attention(subject, read_examples(subject, None, 0))
    tokens, foreseen = _draw_repeats(64, torch.Generator().manual_seed(9))
    usual = float(_loss(model, tokens, foreseen))

    def lose(*removed):
        gates = {}
        for pattern, number in removed:
            gates.setdefault((pattern.path, pattern.occurrence), torch.ones(TwoLayers.HEADS))[number] = 0
        loss, _ = run_with_gates(model, lambda: _loss(model, tokens, foreseen), len(tokens), gates)
        return float(loss) - usual

    heads = [(pattern, n, head) for pattern in measured.patterns for n, head in enumerate(pattern.heads)]
    induction = [(pattern, n) for pattern, n, head in heads if head.induction > 0.5]
    # Heads that look one token back feed the induction heads, and so matter as much.
    others = [(pattern, n) for pattern, n, head in heads if head.induction <= 0.5 and head.previous < 0.3]
    assert usual < 0.1
    assert {pattern.occurrence for pattern, _ in induction} == {1}, "they form in the second layer alone"
    assert len(others) >= 3
    assert median(map(lose, induction)) > 3 * median(map(lose, others))
    assert lose(*induction) > 1.0


def _draw_repeats(rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Rows that repeat with a period of 6 to 32 tokens each, and which tokens can be foreseen."""
    periods = torch.randint(6, 33, (rows, 1), generator=generator)
    places = torch.arange(64)
    tokens = torch.randint(0, TwoLayers.VOCAB, (rows, 32), generator=generator).gather(1, places % periods)
    return tokens, (places > periods)[:, 1:]


def _loss(model: nn.Module, tokens: Tensor, foreseen: Tensor) -> Tensor:
    return F.cross_entropy(model(tokens)[:, :-1][foreseen], tokens[:, 1:][foreseen])


def _train_on_repeats() -> nn.Module:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    model = TwoLayers()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(3000):
        loss = _loss(model, *_draw_repeats(32, generator))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss < 0.05:
            break
    return model


class TwoLayers(nn.Module):
    """Two layers of attention alone, in which induction heads are known to form (Olsson et al. 2022)."""

    VOCAB, WIDTH, HEADS = 40, 64, 8

    def __init__(self):
        super().__init__()
        width = self.WIDTH
        self.tokens, self.positions = nn.Embedding(self.VOCAB, width), nn.Embedding(64, width)
        self.qkv = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(2))
        self.out = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.head = nn.Linear(width, self.VOCAB)

    def forward(self, tokens):
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        for norm, qkv, out in zip(self.norms, self.qkv, self.out, strict=False):
            parts = qkv(norm(x)).chunk(3, -1)
            q, k, v = (part.unflatten(-1, (self.HEADS, -1)).transpose(1, 2) for part in parts)
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + out(mixed.transpose(1, 2).flatten(2))
        return self.head(self.norms[2](x))
