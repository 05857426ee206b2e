"""T1-STAB-018 and 019: the padding that a model declares, and the start that its decoder makes of its targets."""

from __future__ import annotations

import types

import pytest
import torch
from torch import nn

from checks.planting import find, run_check
from tierproof.checks.tier1.stability.stability import CHECK


class Normed(nn.Module):
    """Causal attention over normalised words; the row of the padding is zero."""

    def __init__(self, epsilon):
        super().__init__()
        self.words, self.out, self.epsilon = nn.Embedding(40, 16, padding_idx=0), nn.Linear(16, 40), epsilon

    def forward(self, input_ids, attention_mask=None):
        x = self.words(input_ids)
        x = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.epsilon)
        length = x.shape[1]
        shown = torch.ones(length, length, dtype=torch.bool).tril()[None]
        if attention_mask is not None:
            shown = shown & attention_mask.bool()[:, None]
        weights = (x @ x.transpose(1, 2)).masked_fill(~shown, -1e4).softmax(-1)
        return self.out(weights @ x)


class Decoding(nn.Module):
    """Makes the decoder's tokens of the labels, behind the id of the padding; `hide` says whether that is masked."""

    def __init__(self, *, hide):
        super().__init__()
        self.words, self.out, self.hide = nn.Embedding(40, 16), nn.Linear(16, 40), hide
        self.config = types.SimpleNamespace(pad_token_id=0, is_encoder_decoder=True)

    def forward(self, input_ids, decoder_input_ids=None, labels=None):
        if decoder_input_ids is None:
            following = input_ids if labels is None else labels
            decoder_input_ids = torch.cat((torch.zeros_like(following[:, :1]), following[:, :-1]), 1)
        x, length = self.words(decoder_input_ids), decoder_input_ids.shape[1]
        shown = torch.ones(length, length, dtype=torch.bool).tril()[None]
        if self.hide:
            shown = shown & (decoder_input_ids != 0)[:, None]
        scores = (x @ x.transpose(1, 2)).masked_fill(~shown, float("-inf"))
        source = self.words(input_ids)
        read = (x @ source.transpose(1, 2)).softmax(-1) @ source
        return self.out(scores.softmax(-1) @ x + read)


def build(kind, *options, **named):
    torch.manual_seed(0)
    return kind(*options, **named)


def codes(model):
    return {f.code for f in run_check(CHECK, model).findings if f.code in ("T1-STAB-018", "T1-STAB-019")}


def test_padding_that_spoils_the_positions_before_it():
    finding = find(run_check(CHECK, build(Normed, 0.0)), "T1-STAB-018")
    assert finding.evidence["padding_id"] == 0
    assert codes(build(Normed, 1e-6)) == set()


@pytest.mark.parametrize(("hide", "found"), [(True, {"T1-STAB-019"}), (False, set())])
def test_a_start_that_is_masked_as_padding(hide, found):
    assert codes(build(Decoding, hide=hide)) == found
