"""Gradients lead to answers that turn sooner than chance turns them, within the budget and the rules."""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn

from analysis.trained_classifier import LENGTH, VOCAB, Classifier, draw_task, train_classifier
from tierproof.analysis.adversarial.adversarial_figures import COORDINATE, HOTFLIP, RANDOM, SEARCHES
from tierproof.analysis.adversarial.measure_adversarial import measure_adversarial
from tierproof.analysis.examples.given_examples import collect_examples
from tierproof.analysis.examples.random_rows import draw_rows
from tierproof.analysis.examples.read_examples import read_examples
from tierproof.core.time_limit import limit_time
from tierproof.errors import UsageError
from tierproof.model.describe.prepare_subject import prepare_subject
from zoo.handwritten import CharGPT, build


def attack(model, ids=None, labels=None, *, tokenizer=None, **options):
    subject = prepare_subject(model)
    if ids is None:
        return measure_adversarial(subject, draw_rows(subject, 4, 0), **options)
    given = collect_examples(ids, tokenizer, labels)
    return measure_adversarial(subject, read_examples(subject, given, 0), **options)


@pytest.mark.parametrize(
    "seeds", [range(10), pytest.param(range(10, 40), marks=pytest.mark.slow)], ids=["ten", "forty"]
)
def test_gradients_beat_random_search_at_equal_forward_passes(seeds):
    turned = dict.fromkeys(SEARCHES, 0)
    wins = dict.fromkeys((HOTFLIP, COORDINATE), 0)
    losses = dict.fromkeys((HOTFLIP, COORDINATE), 0)
    for seed in seeds:
        ids, labels = draw_task(8, 77_000 + seed)
        measured = attack(
            train_classifier(seed, steps=60), ids, labels.tolist(), passes=22, most_changed=0.5, seed=seed
        )
        assert len(measured.rows) >= 6
        found = {each.name: each.turned.value for each in measured.searches}
        for name in SEARCHES:
            turned[name] += found[name]
            assert all(trace.passes <= 22 for trace in measured.search(name).traces)
        for name in wins:
            wins[name] += found[name] > found[RANDOM]
            losses[name] += found[name] < found[RANDOM]
    assert turned[HOTFLIP] > 2 * turned[RANDOM]
    assert (wins[HOTFLIP], losses[HOTFLIP]) == (len(seeds), 0)
    assert turned[COORDINATE] > 1.2 * turned[RANDOM]
    assert wins[COORDINATE] > 2 * losses[COORDINATE]


def test_a_search_keeps_to_its_rules():
    model = train_classifier(0, steps=60)
    ids, labels = draw_task(6, 5)
    measured = attack(model, ids, labels.tolist(), passes=40, most_changed=0.25)
    for search in measured.searches:
        for trace in search.traces:
            found = torch.tensor(trace.ids)
            different = (found != ids[trace.row]).nonzero().flatten().tolist()
            assert tuple(different) == trace.places
            assert len(different) <= LENGTH // 4
            margins = [step.margin for step in trace.steps]
            assert margins == sorted(margins, reverse=True)
            assert [step.passes for step in trace.steps] == sorted({step.passes for step in trace.steps})
            if trace.turned is not None:
                assert int(model(found[None]).argmax()) != int(labels[trace.row])
            row = next(row for row in measured.rows if row.row == trace.row)
            scores = model(ids[trace.row][None])[0].detach()
            assert row.margin == pytest.approx(float(scores.max() - scores.min()), rel=1e-4)
        shares = [share for _, share in search.by_passes]
        assert shares == sorted(shares)
        assert (shares[-1] if shares else 0.0) == search.turned.value
    assert attack(model, ids, labels.tolist(), passes=40, most_changed=0.25).to_dict() == measured.to_dict()


def test_special_tokens_and_the_last_token_of_a_decoder_stay():
    class Config:
        pad_token_id, bos_token_id, eos_token_id = 0, 1, [2, 3]

    model = CharGPT()
    model.config = Config()
    ids = torch.tensor([[1, 5, 6, 7, 3, 8, 9, 2]])
    measured = attack(model, ids, passes=60, most_changed=1.0)
    assert measured.rows[0].editable == 5
    for search in measured.searches:
        for trace in search.traces:
            assert not {0, 4, 7} & set(trace.places)
            assert not {0, 1, 2, 3} & {trace.ids[place] for place in trace.places}


class Letters:
    """A tokenizer that knows letters and one pair of them: `ab` never comes out as two."""

    all_special_ids = ()

    def encode(self, text):
        ids, at = [], 0
        while at < len(text):
            pair = text[at : at + 2] == "ab"
            ids.append(26 if pair else ord(text[at]) - 97)
            at += 1 + pair
        return ids

    def decode(self, ids):
        if max(ids) > 26:
            raise LookupError("no such id")
        return "".join("ab" if each == 26 else chr(97 + each) for each in ids)


def test_only_inputs_are_tried_that_a_text_gives():
    torch.manual_seed(0)
    measured = attack(Classifier(), ["cdefghij", "zzabzzzz"], tokenizer=Letters(), passes=64)
    assert measured.round_trip
    tokenizer = Letters()
    for search in measured.searches:
        for trace in search.traces:
            assert tokenizer.encode(trace.text) == list(trace.ids)
            assert max(trace.ids) <= 26  # the model knows ids up to 59, the tokenizer none of them
            assert "".join(trace.pieces) == trace.text


def test_a_model_without_a_gradient_is_searched_at_random():
    class Hard(Classifier):
        def forward(self, ids):
            return self.head(self.embed(ids).sign().mean(1))

    torch.manual_seed(0)
    measured = attack(Hard(), passes=30)
    assert [each.name for each in measured.searches] == [RANDOM]
    assert "zero" in measured.no_gradient


class OneHot(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.Linear(VOCAB, 4)

    def forward(self, ids):
        return self.project(nn.functional.one_hot(ids, VOCAB).float()).mean(1)


def test_a_table_that_is_not_looked_up_is_said():
    torch.manual_seed(0)
    measured = attack(OneHot(), passes=20)
    assert "no lookup of the token ids" in measured.no_gradient
    assert measured.search(RANDOM) is not None


@pytest.mark.parametrize(
    ("model", "ids", "said"),
    [
        (build("tiny_vit"), None, "reads no token ids"),
        (nn.Sequential(nn.Embedding(20, 8), nn.Flatten(0, 1)), None, "vector"),
    ],
)
def test_models_that_cannot_be_searched_are_refused(model, ids, said):
    with pytest.raises(UsageError, match=said):
        attack(model, ids)


def test_a_row_without_tokens_to_change_is_left_out():
    measured = attack(CharGPT(), [[4], [4, 5, 6, 7]], passes=12)
    assert measured.not_searched == ((0, "it has no token that may be changed"),)
    assert [row.row for row in measured.rows] == [1]


def test_rows_that_are_wrong_already_are_left_out():
    model = train_classifier(0, steps=60)
    ids, labels = draw_task(4, 5)
    turned = labels.clone()
    turned[0] = 1 - turned[0]
    assert attack(model, ids, turned.tolist(), passes=12).wrong == 1


def test_outputs_that_are_not_finite_are_said():
    model = Classifier()
    with torch.no_grad():
        model.embed.weight[7] = float("nan")
    ids = torch.full((2, 6), 3)
    ids[0] = 7
    measured = attack(model, ids, passes=12)
    assert measured.not_searched == ((0, "the output is not finite (see T1-STAB)"),)
    assert measured.rows[0].row == 1


def test_a_budget_too_small_for_a_gradient_says_so():
    measured = attack(CharGPT(), torch.randint(0, 20, (1, 8)), passes=2)
    assert {trace.reason for search in measured.searches for trace in search.traces} <= {
        "the budget was spent",
        "",
    }
    assert all(trace.passes <= 2 for search in measured.searches for trace in search.traces)


def test_what_was_found_before_the_time_was_up_is_kept():
    class Slow(Classifier):
        def forward(self, ids):
            time.sleep(0.02)
            return super().forward(ids)

    torch.manual_seed(0)
    subject = prepare_subject(Slow())
    rows = draw_rows(subject, 40, 0)
    with limit_time(time.monotonic() + 1.0):
        measured = measure_adversarial(subject, rows, passes=500)
    assert not measured.complete
    assert 0 < len(measured.rows) < 40
    assert measured.searches


def test_the_model_is_left_as_it_was():
    model = train_classifier(1, steps=5)
    model.zero_grad()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    attack(model, *[part.tolist() if part.dim() == 1 else part for part in draw_task(2, 3)], passes=20)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
