"""A model gives one verdict, whether its targets are optional, required or keyword-only."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tierproof as tp
from zoo.handwritten import CharGPT

# They judge nothing that a target could change, or are slow.
SKIPPED = ["T1-MEM", "T1-SPEED", "T1-SAVE", "T1-MOVE"]


class ShiftedLM(CharGPT):
    """Shifts its labels itself, so a single token has no label."""

    def score(self, ids, labels):
        logits = self.body(ids)
        if labels is None:
            return logits, None
        return logits, F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())

    body = CharGPT.forward


class Regression(nn.Module):
    """One number for each row; a loss of squares would broadcast targets of any length."""

    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(50, 32, padding_idx=0), nn.Linear(32, 1)

    def score(self, ids, labels):
        answer = self.head(torch.tanh(self.embed(ids)).mean(1))
        return answer, None if labels is None else F.mse_loss(answer.squeeze(-1), labels.float())


class Tagging(Regression):
    """Several classes at once, with a mask that is required."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(32, 5)

    def score(self, ids, mask, y):
        shown = mask.unsqueeze(-1).float()
        mean = (torch.tanh(self.embed(ids)) * shown).sum(1) / shown.sum(1).clamp(min=1)
        logits = self.head(mean)
        return logits, None if y is None else F.binary_cross_entropy_with_logits(logits, y.float())


class Translator(nn.Module):
    """A loss over the target, which is of another length than the source."""

    def __init__(self):
        super().__init__()
        self.source, self.target, self.positions = (nn.Embedding(40, 32) for _ in range(3))
        self.layers = nn.Transformer(32, 4, 1, 1, 64, batch_first=True)
        self.head = nn.Linear(32, 40)

    def score(self, src, tgt, y):
        causal = torch.ones(tgt.shape[1], tgt.shape[1], dtype=torch.bool).triu(1)
        pair = (
            table(ids) + self.positions(torch.arange(ids.shape[1]))
            for table, ids in ((self.source, src), (self.target, tgt))
        )
        logits = self.head(self.layers(*pair, tgt_mask=causal))
        return logits, None if y is None else F.cross_entropy(logits.flatten(0, 1), y.flatten())


def optional(self, ids, labels=None):
    return self.score(ids, labels)


def required(self, ids, labels):
    return self.score(ids, labels)


def keyword(self, ids, *, labels):
    return self.score(ids, labels)


def optional_keyword(self, ids, *, labels=None):
    return self.score(ids, labels)


def tagging_optional(self, ids, mask, y=None):
    return self.score(ids, mask, y)


def tagging_required(self, ids, mask, y):
    return self.score(ids, mask, y)


def tagging_keyword(self, ids, mask, *, y):
    return self.score(ids, mask, y)


def translator_optional(self, src, tgt, y=None):
    return self.score(src, tgt, y)


def translator_required(self, src, tgt, y):
    return self.score(src, tgt, y)


def translator_keyword(self, src, tgt, *, y):
    return self.score(src, tgt, y)


FORMS = {
    ShiftedLM: (optional, required, keyword, optional_keyword),
    Regression: (optional, required, keyword, optional_keyword),
    Tagging: (tagging_optional, tagging_required, tagging_keyword),
    Translator: (translator_optional, translator_required, translator_keyword),
}
REQUIRED = (required, tagging_required, translator_required)


def judge(kind, forward):
    torch.manual_seed(0)
    model = type(kind.__name__, (kind,), {"forward": forward, "__module__": __name__})()
    report = tp.check(model, progress=False, skip=SKIPPED)
    loud = sorted({f.code for f in report.findings if f.severity.value != "info"})
    return report.to_dict()["verdict"], loud


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "forward"),
    [
        pytest.param(kind, form, marks=() if kind is ShiftedLM or form in REQUIRED else pytest.mark.slow)
        for kind, forms in FORMS.items()
        for form in forms
    ],
)
def test_targets_in_every_form_give_one_verdict(kind, forward):
    assert judge(kind, forward) == ("pass", [])
