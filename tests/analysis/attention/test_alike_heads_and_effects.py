"""Clusters of heads over all layers, and what the outputs lose without a head, by independent formulas."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F

import tierproof as tp
from tierproof.analysis.attention.alike_heads import find_alike_heads
from tierproof.analysis.attention.attention_maps import PatternMaps
from tierproof.reporters.attention_page.page_data import list_rollouts
from zoo.handwritten import CharGPT


def keep(*maps):
    """An operation with these maps, [rows, columns] each."""
    values = tuple(bytes(each.sqrt().mul(255).round().to(torch.uint8).flatten().tolist()) for each in maps)
    rows, columns = maps[0].shape
    heads = tuple(range(len(maps)))
    return PatternMaps("a", "softmax", rows, columns, 1, 1, False, None, None, len(maps), heads, values)


def test_heads_of_other_layers_are_found_by_their_maps():
    own, before = torch.eye(8), torch.eye(8).roll(-1, 1)
    even, nearly = torch.full((8, 8), 1 / 8), torch.eye(8) * 0.9 + 0.1 / 8
    other_size = torch.eye(6)
    found = find_alike_heads((keep(own, even), keep(before, nearly, own), keep(other_size), keep(before)))
    assert found == (((0, 0), (1, 1), (1, 2)), ((1, 0), (3, 0)))


def test_each_two_heads_of_a_cluster_agree_in_eager_maps():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=40, n_positions=64, n_embd=64, n_layer=3, n_head=4)
    model = transformers.GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for block in model.transformer.h:
            block.attn.c_attn.weight.mul_(12)
    ids = torch.randint(0, 40, (1, 24))
    view = tp.attention(model, [ids])
    model.set_attn_implementation("eager")
    with torch.no_grad():
        maps = torch.cat(model(ids, output_attentions=True).attentions)[:, :].flatten(0, 1).flatten(1)
    unit = maps / maps.norm(dim=-1, keepdim=True)
    cosine = unit @ unit.T
    grouped = {member for cluster in view.alike for member in cluster}
    for cluster in view.alike:
        for (one, head), (other, number) in itertools.combinations(cluster, 2):
            assert cosine[4 * one + head, 4 * other + number] >= 0.9 - 0.005
    alone = [4 * place + head for place in range(3) for head in range(4) if (place, head) not in grouped]
    for one, other in itertools.combinations(alone, 2):
        assert cosine[one, other] <= 0.9 + 0.005


def test_a_cluster_is_told_on_the_page(tmp_path):
    view = tp.attention(CharGPT())  # fresh: all heads are nearly even
    assert len(view.alike[0]) == 12
    page = view.save(tmp_path / "attention.html").read_text()
    assert "its map is like that of blocks.0 head 1, blocks.0 head 2, blocks.0 head 3 and 8 more" in page
    assert list_rollouts({}) == []


def test_divergence_without_a_head_equals_the_one_of_a_pruned_projection():
    torch.manual_seed(0)
    model = CharGPT().eval()
    ids = torch.randint(0, 65, (2, 20))
    report = tp.check(model, tier=2, only=["T2-ATTENTION"], examples=[ids], progress=False)
    measured = report.results[0].measurements
    assert measured["heads_left_out_in_turn"] == 12
    width = model.blocks[1].attn.proj.weight.shape[1] // 4
    with torch.no_grad():
        plain = model(ids).double()
        for head in range(4):
            kept = model.blocks[1].attn.proj.weight.clone()
            model.blocks[1].attn.proj.weight[:, head * width : (head + 1) * width] = 0
            pruned = model(ids).double()
            model.blocks[1].attn.proj.weight.copy_(kept)
            divergence = F.kl_div(
                pruned.log_softmax(-1), plain.log_softmax(-1), log_target=True, reduction="sum"
            )
            found = measured["patterns"][1]["heads"][head]
            assert found["divergence_nats"] == pytest.approx(
                float(divergence) / plain[..., 0].numel(), rel=1e-3
            )
            assert found["effect"] == pytest.approx(float((pruned - plain).norm() / plain.norm()), rel=1e-3)


def test_a_vector_has_no_divergence():
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    report = tp.check(transformers.BertModel(config), tier=2, only=["T2-ATTENTION"], progress=False)
    heads = report.results[0].measurements["patterns"][0]["heads"]
    assert all(head["effect"] > 0 and head["divergence_nats"] is None for head in heads)
