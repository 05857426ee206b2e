"""Perturbations do what they say to a model, and nothing where they are of strength 0."""

from __future__ import annotations

import math
import time

import pytest
import torch
from torch import nn

from analysis.trained_classifier import Classifier, draw_task, train_classifier
from tierproof.analysis.examples.given_examples import collect_examples
from tierproof.analysis.examples.random_rows import draw_rows
from tierproof.analysis.examples.read_examples import read_examples
from tierproof.analysis.robustness.measure_robustness import measure_robustness
from tierproof.core.time_limit import limit_time
from tierproof.errors import UsageError
from tierproof.model.describe.prepare_subject import prepare_subject
from zoo.encoders import ENCODERS
from zoo.handwritten import CharGPT, build


def measure(model, examples=None, labels=None, *, tokenizer=None, **options):
    subject = prepare_subject(model)
    if examples is None:
        return measure_robustness(subject, draw_rows(subject, 8, 0), **options)
    given = collect_examples(examples, tokenizer, labels)
    return measure_robustness(subject, read_examples(subject, given, 0), **options)


NOTHING = dict.fromkeys(
    ("swap", "drop", "insert", "order", "truncation", "embedding noise", "noise", "brightness"), (0,)
)


@pytest.mark.parametrize(
    "model", [CharGPT(), ENCODERS["bert_like"][0](), build("tiny_vit"), build("seq2seq")]
)
def test_a_strength_of_zero_changes_nothing(model):
    measured = measure(model, strengths={**NOTHING, "shift": (0,)})
    unchanged = [each for each in measured if each.name not in ("precision", "padding")]
    assert unchanged
    for each in unchanged:
        assert each.kept.value == 1, each
        assert each.relative_error == 0, each
        assert each.cosine.value == 1


def test_a_trained_model_loses_answers_with_strength_and_keeps_them_in_other_precisions():
    model = train_classifier(0)
    ids, labels = draw_task(40, 9)
    measured = measure(model, ids, labels.tolist(), strengths={"swap": (0.1, 0.9), "order": (0.5,)})
    assert measured.reference == "labels"
    assert measured.unperturbed.value > 0.9
    assert 0.3 < measured.chance < 0.7
    weak, strong = measured.of("swap")
    assert strong.kept.value < weak.kept.value <= measured.unperturbed.value
    assert all(each.kept.value == measured.unperturbed.value for each in measured.of("precision"))
    # Counting tokens knows no order.
    assert measured.of("order")[0].kept.value == measured.unperturbed.value
    assert all(each.kept.low <= each.kept.value <= each.kept.high for each in measured)


def test_equal_seeds_give_equal_figures():
    model = CharGPT()
    assert measure(model, seed=3).to_dict() == measure(model, seed=3).to_dict()
    assert measure(model, seed=3).to_dict() != measure(model, seed=4).to_dict()


def test_figures_agree_with_formulas_of_their_own():
    torch.manual_seed(0)
    model = CharGPT().eval()
    ids = torch.randint(0, 65, (3, 10))
    measured = measure(model, ids, strengths={"truncation": (0.4,)})
    (cut,) = measured.of("truncation")
    kept, errors, divergences = [], [], []
    with torch.no_grad():
        for row in ids:
            before, after = model(row[None])[0], model(row[None, 4:])[0]  # 40% of 9 editable tokens
            kept.append(float(before[-1].argmax() == after[-1].argmax()))
            errors.append(
                float((after[-1] - before[-1]).square().mean().sqrt() / before[-1].std(correction=0))
            )
            first, second = before[4:].log_softmax(-1), after.log_softmax(-1)
            divergences.append(float((first.exp() * (first - second)).sum(-1).mean()))
    assert cut.kept.value == pytest.approx(sum(kept) / 3)
    assert cut.relative_error == pytest.approx(sorted(errors)[1], rel=1e-4)
    assert cut.kl_nats.value == pytest.approx(sum(divergences) / 3, rel=1e-4)


def test_padding_that_a_mask_hides_keeps_every_answer_and_a_mask_that_is_ignored_does_not():
    torch.manual_seed(0)
    sound = ENCODERS["bert_like"][0]()
    right = next(each for each in measure(sound).of("padding") if each.setting == "on the right")
    assert right.relative_error < 1e-4
    assert right.kept.value == 1


def test_vectors_are_told_apart_by_their_neighbours():
    torch.manual_seed(0)
    measured = measure(nn.Sequential(nn.Embedding(30, 16), nn.Linear(16, 16)), answer="vector")
    assert measured.answer == "vector"
    assert measured.chance == pytest.approx(1 / 8)
    assert all(each.kl_nats is None and each.decided_kept is None for each in measured)
    assert next(each for each in measured.of("precision")).mean_rank == 1
    # A mean over positions knows no order.
    assert all(each.kept.value == 1 and each.cosine.value > 0.9999 for each in measured.of("order"))
    alone = measure(nn.Sequential(nn.Embedding(30, 16)), torch.arange(6)[None])
    assert all(each.kept is None for each in alone)
    assert alone.chance is None


class Words:
    """One id for each word, as they come."""

    def __init__(self):
        self.known = {}

    def encode(self, text):
        return [self.known.setdefault(word, len(self.known)) % 60 for word in text.split()]


def test_typing_errors_are_measured_where_there_are_texts():
    torch.manual_seed(0)
    texts = ["one two three four", "five six seven eight nine", "alpha beta gamma delta"]
    measured = measure(Classifier(), texts, tokenizer=Words())
    assert [each.strength for each in measured.of("typos")] == [0.1, 0.3]
    assert all(each.rows == 3 and each.kl_nats is not None for each in measured.of("typos"))


@pytest.mark.parametrize(
    ("examples", "labels", "said"),
    [
        (torch.zeros(2, 6, dtype=torch.long), [0, 7], "is none of the model's 2 classes"),
        (torch.zeros(2, 6, dtype=torch.long), [0], "1 labels for 2 examples"),
        ([[1, 999]], None, "knows ids below 60"),
        ([[]], None, "no tokens"),
    ],
)
def test_examples_that_do_not_fit_are_refused(examples, labels, said):
    with pytest.raises(UsageError, match=said):
        measure(Classifier(), examples, labels)


def test_unknown_perturbations_and_negative_strengths_are_refused():
    for strengths in ({"swop": (0.1,)}, {"swap": (-0.1,)}):
        with pytest.raises(UsageError):
            measure(Classifier(), strengths=strengths)
    assert measure(Classifier(), strengths={"swap": ()}).of("swap") == ()


def test_one_token_alone_is_measured_where_it_can_be():
    measured = measure(CharGPT(), [[5], [9]])
    reasons = dict(measured.not_measured)
    assert reasons["swap"] == reasons["drop"] == "a row has no token that may be changed"
    assert {each.name for each in measured} >= {"precision", "embedding noise"}


def test_weights_that_are_not_finite_and_random_answers_are_refused():
    broken = CharGPT()
    with torch.no_grad():
        broken.head.weight[0, 0] = math.nan
    with pytest.raises(UsageError, match="not finite"):
        measure(broken)

    class Noisy(CharGPT):
        def forward(self, idx):
            return super().forward(idx) + torch.randn(1)

    with pytest.raises(UsageError, match="equal calls give different outputs"):
        measure(Noisy())


def test_a_row_of_padding_alone_is_refused():
    subject = prepare_subject(ENCODERS["bert_like"][0]())
    plan = subject.inputs
    call = subject.make_call(batch=2, length=6, seed=0)
    hidden = torch.zeros_like(call.tensors[plan.padding])
    if plan.argument(plan.padding).role == "hide_mask":
        hidden = 1 - hidden
    examples = collect_examples({**call.tensors, plan.padding: hidden})
    with pytest.raises(UsageError, match="padding alone"):
        measure_robustness(subject, read_examples(subject, examples, 0))


def test_what_was_measured_before_the_time_was_up_is_kept():
    class Slow(CharGPT):
        def forward(self, idx):
            time.sleep(0.02)
            return super().forward(idx)

    subject = prepare_subject(Slow())
    rows = draw_rows(subject, 400, 0)
    with limit_time(time.monotonic() + 1.0):
        measured = measure_robustness(subject, rows)
    assert not measured.complete
    assert 0 < measured.rows < 400
    assert {"swap", "drop", "order"} <= set(measured.names)


def test_a_model_that_refuses_a_length_is_measured_on_the_rest():
    class Fixed(CharGPT):
        def forward(self, idx):
            if idx.shape[1] not in (16, 13):  # the lengths at which it was prepared
                raise ValueError("wrong length")
            return super().forward(idx)

    measured = measure(Fixed())
    assert "ValueError: wrong length" in dict(measured.not_measured)["insert"]
    assert measured.of("swap")


def test_the_model_is_left_as_it_was():
    model = CharGPT()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    measure(model)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
