"""Targets are what only the loss depends on, whatever they are called and however they are passed."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tierproof.model.describe.prepare_subject import prepare_subject

VOCABULARY = 32


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(VOCABULARY, 16), nn.Linear(16, VOCABULARY)

    def answer(self, ids, gold):
        logits = self.head(self.table(ids))
        return logits, F.cross_entropy(logits[:, :-1].flatten(0, 1), gold[:, 1:].flatten())


class Positional(Base):
    def forward(self, ids, labels):
        return self.answer(ids, labels)


class KeywordOnly(Base):
    def forward(self, ids, *, wanted):
        return self.answer(ids, wanted)


class Decoder(Base):
    def forward(self, ids, labels):
        return self.head(self.table(ids) + self.table(labels)), self.table(labels).mean()


@pytest.mark.parametrize("build", [Positional, KeywordOnly])
def test_a_required_argument_that_moves_the_loss_alone_is_the_targets(build):
    torch.manual_seed(0)
    plan = prepare_subject(build()).inputs
    found = plan.arguments[1]
    assert (found.role, found.shape, found.high) == ("targets", plan.arguments[0].shape, VOCABULARY)


def test_an_argument_that_moves_the_answer_is_none():
    torch.manual_seed(0)
    assert [a.role for a in prepare_subject(Decoder()).inputs.arguments] == ["tokens", "tokens"]
