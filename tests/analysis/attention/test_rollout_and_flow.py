"""Rollout and flow against plain implementations on eager `output_attentions`, and against closed forms."""

from __future__ import annotations

from collections import deque

import pytest
import torch

import tierproof as tp
from tierproof.analysis.attention.attention_pattern import AttentionPattern
from tierproof.analysis.attention.paths.attention_flow import measure_flow
from tierproof.analysis.attention.paths.attention_rollout import LONGEST, RolloutTrace
from tierproof.errors import UsageError


def roll_out(weights):
    trace = RolloutTrace(batch=1)
    for number, each in enumerate(weights):
        shape = each.shape
        read = lambda heads, rows, each=each: each[:, heads, rows]  # noqa: E731
        trace.add(AttentionPattern(f"layers.{number}", "softmax", *shape, read))
    return trace.conclude("")


def build_gpt2(layers=3):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=40, n_positions=64, n_embd=32, n_layer=layers, n_head=4)
    return transformers.GPT2LMHeadModel(config).eval()


def read_eager(model, ids):
    model.set_attn_implementation("eager")
    with torch.no_grad():
        maps = model(ids, output_attentions=True).attentions
    return [each[0].double().mean(0) for each in maps]


def add_residual(weights):
    """½·W + ½·I, with rows divided by their sums, number by number."""
    count = len(weights)
    rows = [[float(weights[q, k]) / 2 + (q == k) / 2 for k in range(count)] for q in range(count)]
    return [[each / sum(row) for each in row] for row in rows]


def multiply(one, other):
    count = len(one)
    return [[sum(one[q][m] * other[m][k] for m in range(count)) for k in range(count)] for q in range(count)]


def find_flow(steps, position, key):
    """Edmonds and Karp's search for the widest flow, over matrices."""
    layers, count = len(steps), len(steps[0])
    left = {}
    for layer, step in enumerate(steps):
        for q in range(count):
            for k in range(count):
                left.setdefault((layer, k), {})[layer + 1, q] = step[q][k]
                left.setdefault((layer + 1, q), {})[layer, k] = 0.0
    flow = 0.0
    while True:
        came, line = {(0, key): None}, deque([(0, key)])
        while line and (layers, position) not in came:
            here = line.popleft()
            for there, width in left[here].items():
                if width > 1e-12 and there not in came:
                    came[there] = here
                    line.append(there)
        if (layers, position) not in came:
            return flow
        path, node = [], (layers, position)
        while came[node] is not None:
            path.append((came[node], node))
            node = came[node]
        width = min(left[one][other] for one, other in path)
        for one, other in path:
            left[one][other] -= width
            left[other][one] += width
        flow += width


def test_rollout_equals_a_plain_one_on_eager_attention():
    model, ids = build_gpt2(), torch.randint(0, 40, (2, 9))
    view = tp.attention(model, [ids])
    total, expected = None, []
    for weights in read_eager(model, ids):
        step = add_residual(weights)
        total = step if total is None else multiply(step, total)
        expected.append(total)
    assert view.rolled.rollouts[0].paths == tuple(f"transformer.h.{n}.attn" for n in range(3))
    torch.testing.assert_close(view.rollout.double(), torch.tensor(expected).double(), atol=1e-6, rtol=1e-5)


def test_flow_equals_a_plain_search_on_eager_attention():
    model, ids = build_gpt2(), torch.randint(0, 40, (1, 7))
    view = tp.attention(model, [ids])
    steps = [add_residual(weights) for weights in read_eager(model, ids)]
    for position in (3, -1):
        expected = [find_flow(steps, position % 7, key) for key in range(7)]
        assert view.flow(position) == pytest.approx(expected, abs=1e-5)


def test_even_attention_rolls_out_in_closed_form():
    """With W = 1/n everywhere, L layers leave 2⁻ᴸ on the position itself and share the rest evenly."""
    count, layers = 6, 4
    values = roll_out([torch.full((1, 2, count, count), 1 / count)] * layers).rollouts[0].values
    for layer in range(layers):
        own = 0.5 ** (layer + 1)
        expected = own * torch.eye(count) + (1 - own) / count
        torch.testing.assert_close(values[layer], expected)


def test_the_previous_position_rolls_out_to_binomial_shares():
    count, layers = 8, 3
    weights = torch.eye(count).roll(1, 0)[None, None]  # a ring
    values = roll_out([weights] * layers).rollouts[0].values[-1]
    assert values[5].tolist() == pytest.approx([0, 0, 1 / 8, 3 / 8, 3 / 8, 1 / 8, 0, 0])


def test_flow_through_two_layers_in_closed_form():
    """Paths share no edge: the flow from k is the sum over middles m of min(A₂[p, m], A₁[m, k])."""
    torch.manual_seed(0)
    steps = torch.rand(2, 6, 6, dtype=torch.float64).softmax(-1)
    for position in (0, 4):
        expected = torch.minimum(steps[1, position][:, None], steps[0]).sum(0)
        assert measure_flow(steps, position) == pytest.approx(expected.tolist(), abs=1e-9)
        assert measure_flow(steps[:1], position) == pytest.approx(steps[0, position].tolist(), abs=1e-9)


def test_what_cannot_be_rolled_out_is_told():
    model = build_gpt2(1)
    with pytest.raises(UsageError, match="no position 40"):
        tp.attention(model, [torch.randint(0, 40, (1, 8))]).flow(40)
    with pytest.raises(UsageError, match="too large"):
        measure_flow(torch.full((4, 200, 200), 1 / 200), 0)
    long = roll_out([torch.full((1, 1, LONGEST + 1, LONGEST + 1), 1e-3)])
    assert long.rollouts == ()
    assert "more than 512" in long.left_out[0]
    with pytest.raises(UsageError, match="no rollout"):
        tp.attention(torch.nn.Sequential(torch.nn.Linear(4, 4))).rollout  # noqa: B018


def test_source_and_target_of_one_length_are_not_mixed():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.T5Config(
        vocab_size=40, d_model=16, d_kv=8, d_ff=16, num_layers=2, num_heads=2, decoder_start_token_id=0
    )
    model = transformers.T5ForConditionalGeneration(config)
    source = torch.randint(1, 40, (1, 8))
    same = tp.attention(model, [{"input_ids": source, "decoder_input_ids": source}])
    assert same.rolled.rollouts == ()
    assert "cannot be told apart" in same.rolled.left_out[0]
    audio = transformers.WhisperConfig(
        vocab_size=60, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, num_mel_bins=8, max_source_positions=40,
        max_target_positions=40, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    heard = tp.attention(transformers.WhisperForConditionalGeneration(audio))
    assert all(len(each.paths) == 1 for each in heard.rolled.rollouts)
    apart = tp.attention(model, [{"input_ids": source, "decoder_input_ids": source[:, :5]}])
    assert [(len(each.paths), each.positions) for each in apart.rolled.rollouts] == [(2, 8), (2, 5)]
    assert all("encoder" in path for path in apart.rolled.rollouts[0].paths)


def test_the_rollout_is_the_first_row_of_the_page(tmp_path):
    view = tp.attention(build_gpt2())
    (maps,) = view.maps.rollouts
    assert maps.heads == (0, 1, 2)
    shown = torch.tensor(maps.decode(2))
    torch.testing.assert_close(shown, view.rollout[2], atol=view.maps.largest_error + 1e-6, rtol=0)
    page = view.save(tmp_path / "attention.html").read_text()
    assert page.index('"path":"rollout"') < page.index('"path":"transformer.h.0.attn"')
    assert "Abnar" in page
    assert view.to_dict()["rollouts"][0]["positions"] == view.rollout.shape[-1]
    assert tp.attention(build_gpt2(), maps=False).maps is None
