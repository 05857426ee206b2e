"""One planted bug for each property of the design's list: found end to end, in the right place.

Each model is a healthy one of the zoo with one small change, as people make it.
"""

from __future__ import annotations

from types import MethodType

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tierproof
from sampled import sample
from zoo.handwritten import CharGPT, DataclassEncoder, EncoderOutput, Seq2Seq
from zoo.pretrained_configs import gpt2


def char_gpt(seed=0) -> CharGPT:
    torch.manual_seed(seed)
    return CharGPT()


def mask_one_ahead():
    model = char_gpt()
    model.blocks[1].attn.mask.copy_(torch.tril(torch.ones(64, 64), diagonal=1))
    return model


def reversed_positions():
    class Reversed(CharGPT):
        def forward(self, idx):
            places = torch.arange(idx.size(1) - 1, -1, -1, device=idx.device)
            x = self.token(idx) + self.position(places)
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x))

    torch.manual_seed(0)
    return Reversed()


class BatchMean(nn.Module):
    def forward(self, x):
        return x - x.mean(0, keepdim=True)


def batch_mean():
    model = char_gpt()
    model.blocks[1].mlp.append(BatchMean())
    return model


class AlwaysDropout(nn.Module):
    def forward(self, x):
        return F.dropout(x, 0.2)


def dropout_in_eval():
    model = char_gpt()
    model.blocks[2].mlp[3] = AlwaysDropout()
    return model


def padding_ignored():
    class Ignoring(DataclassEncoder):
        def forward(self, tokens, key_padding_mask=None):
            x = self.embed(tokens) + self.pos(torch.arange(tokens.size(1), device=tokens.device))
            x = self.encoder(x)
            return EncoderOutput(x, torch.tanh(self.pool(x[:, 0])))

    torch.manual_seed(0)
    return Ignoring()


class NormOverLength(nn.Module):
    """The unbiased spread of one step is NaN."""

    def forward(self, x):
        steps = torch.arange(1, x.size(1) + 1, device=x.device).view(1, -1, 1)
        mean = x.cumsum(1) / steps
        spread = ((x - mean) ** 2).cumsum(1) / (steps - 1)
        return torch.where(torch.isinf(spread), x * float("nan"), (x - mean) / (spread + 1e-5).sqrt())


def nan_at_length_one():
    model = char_gpt()
    model.norm = NormOverLength()
    return model


def table_one_short():
    model = char_gpt()
    model.position = nn.Embedding(63, 32)
    return model


def detached_branch():
    model = char_gpt()
    attn = model.blocks[1].attn
    plain = attn.forward
    attn.forward = lambda x: plain(x).detach()
    return model


def blocks_in_a_list():
    class Listed(CharGPT):
        def __init__(self):
            super().__init__()
            blocks = list(self.blocks)
            del self.blocks
            self.blocks = blocks

    torch.manual_seed(0)
    return Listed()


def unscaled_attention():
    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(x).split(c, dim=2)
        q, k, v = (y.view(b, t, self.heads, c // self.heads).transpose(1, 2) for y in (q, k, v))
        scores = (q @ k.transpose(-2, -1)).masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf"))
        y = torch.softmax(scores, dim=-1) @ v
        return self.proj(y.transpose(1, 2).contiguous().view(b, t, c))

    model = char_gpt()
    model.blocks[1].attn.forward = MethodType(forward, model.blocks[1].attn)
    return model


def huge_initialisation():
    model = char_gpt()
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=1.0)
    return model


class OverwriteFirst(nn.Module):
    def forward(self, x):
        return torch.cat([torch.zeros_like(x[:, :1]), x[:, 1:]], dim=1)


def overwritten_token():
    model = char_gpt()
    model.drop = OverwriteFirst()
    return model


def cache_offset():
    model = gpt2()
    plain = model.transformer.forward

    def forward(input_ids=None, position_ids=None, **kwargs):
        position_ids = torch.arange(input_ids.shape[1], device=input_ids.device).unsqueeze(0)
        return plain(input_ids=input_ids, position_ids=position_ids, **kwargs)

    model.transformer.forward = forward
    return model


def kept_graph():
    class Keeping(CharGPT):
        def __init__(self):
            super().__init__()
            self.history = []

        def forward(self, idx):
            logits = super().forward(idx)
            self.history.append(logits.mean())
            return logits

    torch.manual_seed(0)
    return Keeping()


def cross_attention_reads_itself():
    class SelfReading(Seq2Seq):
        def forward(self, src, tgt):
            mask = nn.Transformer.generate_square_subsequent_mask(tgt.size(1), device=tgt.device)
            t = self.embed(tgt) + self.positions[: tgt.size(1)]
            s = self.embed(src) + self.positions[: src.size(1)]
            memory = self.transformer.encoder(s)
            memory = t + 0 * memory.sum()
            return self.out(self.transformer.decoder(t, memory, tgt_mask=mask, memory_mask=mask))

    torch.manual_seed(0)
    return SelfReading()


# property: (model, codes that may report it, where, severity that is due)
BUGS = {
    1: (mask_one_ahead, {"T1-CAUSAL"}, {"blocks.1.attn"}, "error"),
    2: (reversed_positions, {"T1-CAUSAL"}, {"", "position"}, "error"),
    3: (batch_mean, {"T1-BATCH"}, {"blocks.1.mlp.4"}, "error"),
    4: (dropout_in_eval, {"T1-STAB"}, {"blocks.2.mlp.3"}, "error"),
    5: (
        padding_ignored,
        {"T1-PAD"},
        {"", "encoder", "encoder.layers.0.self_attn", "encoder.layers.0"},
        "warning",  # that the argument is a padding mask is known by its name alone
    ),
    6: (nan_at_length_one, {"T1-STAB", "T1-SHAPE"}, {"norm"}, "error"),
    7: (table_one_short, {"T1-SHAPE"}, {"position"}, "error"),
    8: (detached_branch, {"T1-GRAD"}, {"blocks.1.attn", "blocks.1.attn.proj"}, "error"),
    9: (blocks_in_a_list, {"T1-REG"}, {"", "blocks"}, "error"),
    10: (unscaled_attention, {"T1-ATTN"}, {"blocks.1.attn"}, "warning"),
    11: (huge_initialisation, {"T1-INIT"}, None, "warning"),
    12: (overwritten_token, {"T1-INPUT"}, {"drop"}, "error"),
    13: (cache_offset, {"T1-CACHE"}, {"transformer.wpe", "transformer", ""}, "error"),
    14: (kept_graph, {"T1-LIVE"}, {"", "history"}, "error"),
    15: (cross_attention_reads_itself, {"T1-CROSS"}, {"", "transformer.decoder"}, "error"),
}


@pytest.mark.parametrize("number", sample(list(BUGS), 3))
def test_a_planted_bug_is_found_where_it_is(number):
    build, codes, places, severity = BUGS[number]
    report = tierproof.check(build(), skip=["T1-SPEED"], progress=False)
    found = [f for f in report.findings if f.code.rsplit("-", 1)[0] in codes and f.severity == severity]
    everything = [(f.code, f.severity.value, f.where, f.message) for f in report.findings]
    assert found, everything
    if severity == "error":
        assert report.verdict.value == "fail"
    if places is not None:
        assert any(f.where in places for f in found), everything
    assert all(f.hint for f in found), everything
