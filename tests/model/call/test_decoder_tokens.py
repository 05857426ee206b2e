"""The decoder's optional tokens are passed where its answer follows them."""

from __future__ import annotations

import torch
from torch import nn

from tierproof.core.standing import Standing
from tierproof.model.describe.prepare_subject import prepare_subject


class Translator(nn.Module):
    """Reads a source, and answers at the positions of its target; without one, at those of the shifted source."""

    def __init__(self):
        super().__init__()
        self.words, self.out = nn.Embedding(40, 16), nn.Linear(16, 40)

    def forward(self, input_ids, decoder_input_ids=None):
        target = input_ids.roll(1, 1) if decoder_input_ids is None else decoder_input_ids
        source, x = self.words(input_ids), self.words(target)
        return self.out(x + (x @ source.transpose(1, 2)).softmax(-1) @ source)


class Reader(Translator):
    """Takes the argument, and answers at the positions of its source all the same."""

    def forward(self, input_ids, decoder_input_ids=None):
        return super().forward(input_ids)


def read(kind):
    torch.manual_seed(0)
    return prepare_subject(kind())


def test_tokens_that_the_answer_follows_are_passed():
    subject = read(Translator)
    argument = subject.inputs.argument("decoder_input_ids")
    assert (argument.role, argument.shape) == ("tokens", ("batch", "target_length"))
    assert argument.standing is Standing.MEASURED
    assert subject.outputs.axes == ("batch", "target_length", 40)
    assert subject.traits.encoder_decoder


def test_tokens_that_it_does_not_follow_are_left_out():
    assert [a.name for a in read(Reader).inputs.arguments] == ["input_ids"]
