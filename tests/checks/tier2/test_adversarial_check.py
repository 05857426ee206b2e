"""T2-ADVERSARIAL tells what one token does to sure answers, and when gradients lead nowhere or astray."""

from __future__ import annotations

import torch
from torch import nn

from analysis.trained_classifier import Classifier, draw_task, train_classifier
from checks.planting import alarms, find, run_check
from tierproof.analysis.examples.given_examples import collect_examples
from tierproof.checks.check import CheckContext
from tierproof.checks.measurements.adversarial_curves import AdversarialCurves
from tierproof.checks.tier2.adversarial import CHECK
from tierproof.model.describe.prepare_subject import prepare_subject
from zoo.handwritten import CharGPT, build


class OneWord(nn.Module):
    """Sure of its answer, which hangs on whether a single token is there."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 2)
        nn.init.zeros_(self.embed.weight)
        with torch.no_grad():
            self.embed.weight[:25, 1] = 9.0

    def forward(self, ids):
        return self.embed(ids).amax(1) - torch.tensor([-4.0, 0.0])


def test_sure_answers_that_one_token_turns_are_told():
    subject = prepare_subject(OneWord())
    rows = collect_examples(torch.randint(25, 50, (6, 8), generator=torch.Generator().manual_seed(0)))
    output = CHECK.run(CheckContext(subject, examples=rows))
    assert "6 of 6" in find(output, "T2-ADVERSARIAL-001").message
    assert alarms(output) == []


class Misleading(Classifier):
    """The gradient says the opposite of what the forward does."""

    def forward(self, ids):
        x = self.embed(ids).mean(1)
        turned = 2 * x.detach() - x
        return 9 * torch.stack((turned[:, 0], -turned[:, 0]), -1)


def test_gradients_that_mislead_are_warned_of():
    torch.manual_seed(0)
    found = find(run_check(CHECK, Misleading()), "T2-ADVERSARIAL-002")
    assert found in alarms(run_check(CHECK, Misleading())) or found.severity.value == "warning"


def test_a_model_without_a_gradient_is_told():
    class Hard(Classifier):
        def forward(self, ids):
            return self.head(self.embed(ids).sign().mean(1))

    output = run_check(CHECK, Hard())
    assert "gradient" in find(output, "T2-ADVERSARIAL-003").message
    assert alarms(output) == []


def test_healthy_models_get_no_warning_and_others_a_reason():
    for model in (CharGPT(), build("seq2seq"), train_classifier(0, steps=60)):
        output = run_check(CHECK, model)
        assert alarms(output) == []
        curves = AdversarialCurves.from_document(output.document)
        assert curves == AdversarialCurves.of(output.measurements)
    assert run_check(CHECK, build("tiny_vit")).skipped == "the model reads no token ids"
    assert "vector" in run_check(CHECK, nn.Sequential(nn.Embedding(20, 8))).skipped


def test_long_examples_get_fewer_passes_and_rows():
    subject = prepare_subject(CharGPT())
    short, long = ([[1] * size for _ in range(20)] for size in (4, 60))
    few = CHECK.run(CheckContext(subject, examples=collect_examples(short))).document
    many = CHECK.run(CheckContext(subject, examples=collect_examples(long))).document
    assert few["budget_passes"] == 64
    assert 15 <= many["budget_passes"] < 64
    ids, labels = draw_task(2, 1)
    wrong = (1 - labels).tolist()
    subject = prepare_subject(train_classifier(0, steps=60))
    skipped = CHECK.run(CheckContext(subject, examples=collect_examples(ids, None, wrong))).skipped
    assert "answers all 2 examples wrongly" in skipped
