"""Healthy encoders and encoder-decoders: BERT, ALBERT, T5, Perceiver, siamese pairs, outputs of many kinds."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn


class SelfAttention(nn.Module):
    """Attends both ways; hides where `mask` is 0; adds a bias where it is given one."""

    def __init__(self, width=32, heads=4) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x, mask=None, bias=None, memory=None, scaled=True):
        b, t, c = x.shape
        memory = x if memory is None else memory
        q = self.query(x).view(b, t, self.heads, -1).transpose(1, 2)
        k = self.key(memory).view(b, memory.size(1), self.heads, -1).transpose(1, 2)
        v = self.value(memory).view(b, memory.size(1), self.heads, -1).transpose(1, 2)
        scores = q @ k.transpose(-1, -2)
        if scaled:
            scores = scores / math.sqrt(q.size(-1))
        if bias is not None:
            scores = scores + bias
        if mask is not None:
            scores = scores.masked_fill(mask[:, None, None, :] == 0, torch.finfo(scores.dtype).min)
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, t, c))


class PostNormLayer(nn.Module):
    def __init__(self, width=32) -> None:
        super().__init__()
        self.attention, self.norm1 = SelfAttention(width), nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width))
        self.norm2, self.drop = nn.LayerNorm(width), nn.Dropout(0.1)

    def forward(self, x, mask=None):
        x = self.norm1(x + self.drop(self.attention(x, mask)))
        return self.norm2(x + self.drop(self.feed_forward(x)))


class BertLike(nn.Module):
    """Post-norm, segments, padding mask, tied masked-LM head."""

    def __init__(self, vocab=70, width=32, layers=2) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab, width, padding_idx=0)
        self.positions, self.segments = nn.Embedding(64, width), nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(PostNormLayer(width) for _ in range(layers))
        self.transform = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        self.decoder = nn.Linear(width, vocab)
        self.apply(self._init)
        self.decoder.weight = self.words.weight

    def _init(self, module):
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Embedding) and module.padding_idx is not None:
            nn.init.zeros_(module.weight[module.padding_idx])

    def encode(self, input_ids, attention_mask=None, token_type_ids=None):
        places = torch.arange(input_ids.size(1), device=input_ids.device)
        kinds = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        x = self.norm(self.words(input_ids) + self.positions(places) + self.segments(kinds))
        for layer in self.layers:
            x = layer(x, attention_mask)
        return x

    def forward(self, input_ids, attention_mask=None, token_type_ids=None):
        return self.decoder(self.transform(self.encode(input_ids, attention_mask, token_type_ids)))


class PooledClassifier(BertLike):
    """The mean of the tokens that the mask shows, then classes."""

    def __init__(self, classes=5) -> None:
        super().__init__()
        self.transform, self.decoder = nn.Identity(), nn.Linear(32, classes)

    def forward(self, input_ids, attention_mask=None):
        x = self.encode(input_ids, attention_mask)
        shown = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        weight = shown[..., None].to(x.dtype)
        return self.decoder((x * weight).sum(1) / weight.sum(1).clamp(min=1))


class AlbertLike(nn.Module):
    """One layer, gone through four times; embeddings narrower than the layers."""

    def __init__(self, vocab=70, width=32, narrow=12, times=4) -> None:
        super().__init__()
        self.words, self.widen = nn.Embedding(vocab, narrow), nn.Linear(narrow, width)
        self.positions = nn.Embedding(64, narrow)
        self.layer, self.times = PostNormLayer(width), times
        self.head = nn.Linear(width, vocab)

    def forward(self, tokens):
        places = torch.arange(tokens.size(1), device=tokens.device)
        x = self.widen(self.words(tokens) + self.positions(places))
        for _ in range(self.times):
            x = self.layer(x)
        return self.head(x)


class RelativeBias(nn.Module):
    """T5's logarithmic buckets of distance, shared by the layers."""

    def __init__(self, heads=4, buckets=8, causal=False) -> None:
        super().__init__()
        self.table, self.buckets, self.causal = nn.Embedding(buckets, heads), buckets, causal

    def forward(self, t, device):
        distance = torch.arange(t, device=device)[None] - torch.arange(t, device=device)[:, None]
        both_ways = distance.abs() + (distance > 0) * (self.buckets // 2)
        bucket = (-distance).clamp(min=0) if self.causal else both_ways
        bias = self.table(bucket.clamp(max=self.buckets - 1)).permute(2, 0, 1)[None]
        return bias.masked_fill(distance > 0, float("-inf")) if self.causal else bias


class T5Like(nn.Module):
    """Relative biases, unscaled scores with queries that start small, cross-attention without positions."""

    def __init__(self, vocab=50, width=32, layers=2) -> None:
        super().__init__()
        self.shared = nn.Embedding(vocab, width)
        self.encoder_bias, self.decoder_bias = RelativeBias(), RelativeBias(causal=True)
        self.encoder, self.decoder = (
            nn.ModuleList(
                nn.ModuleDict(
                    {
                        "norm": nn.LayerNorm(width),
                        "self": SelfAttention(width),
                        "feed": nn.Sequential(
                            nn.LayerNorm(width), nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, width)
                        ),
                    }
                )
                for _ in range(layers)
            )
            for _ in range(2)
        )
        self.cross = nn.ModuleList(SelfAttention(width) for _ in range(layers))
        self.cross_norm = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.final = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocab, bias=False)
        for module in self.modules():
            if isinstance(module, SelfAttention):
                nn.init.normal_(module.query.weight, std=(width * width / 4) ** -0.5)

    def forward(self, input_ids, decoder_input_ids):
        x, y = self.shared(input_ids), self.shared(decoder_input_ids)
        bias = self.encoder_bias(x.size(1), x.device)
        for layer in self.encoder:
            x = x + layer["self"](layer["norm"](x), bias=bias, scaled=False)
            x = x + layer["feed"](x)
        bias = self.decoder_bias(y.size(1), y.device)
        for layer, cross, norm in zip(self.decoder, self.cross, self.cross_norm, strict=True):
            y = y + layer["self"](layer["norm"](y), bias=bias, scaled=False)
            y = y + cross(norm(y), memory=x, scaled=False)
            y = y + layer["feed"](y)
        return self.head(self.final(y))


class Perceiver(nn.Module):
    """A few latents read a long series, think, and answer."""

    def __init__(self, features=9, width=32, latents=6, classes=4) -> None:
        super().__init__()
        self.project = nn.Linear(features, width)
        self.latents = nn.Parameter(torch.randn(latents, width) * 0.02)
        self.read, self.norm = SelfAttention(width), nn.LayerNorm(width)
        self.think = nn.ModuleList(PostNormLayer(width) for _ in range(2))
        self.classes = nn.Linear(width, classes)

    def forward(self, x):
        memory = self.project(x)
        h = self.latents.expand(x.size(0), -1, -1)
        h = h + self.read(self.norm(h), memory=memory)
        for layer in self.think:
            h = layer(h)
        return self.classes(h.mean(1))


class SiamesePair(nn.Module):
    """Two sentences through one encoder; how alike they are."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = BertLike()
        self.encoder.transform, self.encoder.decoder = nn.Identity(), nn.Identity()
        self.out = nn.Linear(3 * 32, 3)

    def forward(self, first_ids, second_ids):
        a, b = self.encoder(first_ids).mean(1), self.encoder(second_ids).mean(1)
        return self.out(torch.cat([a, b, (a - b).abs()], -1))


class ManyOutputs(nn.Module):
    """A dict of hidden states, tags and a class."""

    def __init__(self, vocab=40, width=32) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.positions = nn.Embedding(64, width)
        self.layers = nn.ModuleList(PostNormLayer(width) for _ in range(2))
        self.tags, self.intent = nn.Linear(width, 9), nn.Linear(width, 4)

    def forward(self, tokens):
        x = self.embed(tokens) + self.positions(torch.arange(tokens.size(1), device=tokens.device))
        states = [x]
        for layer in self.layers:
            x = layer(x)
            states.append(x)
        return {"tags": self.tags(x), "intent": self.intent(x[:, 0]), "hidden_states": tuple(states)}


class FrozenBackbone(nn.Module):
    """An encoder that is not trained, under a head that is."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = AlbertLike()
        self.backbone.requires_grad_(False)
        self.head = nn.Sequential(nn.Linear(70, 32), nn.ReLU(), nn.Linear(32, 6))

    def forward(self, tokens):
        with torch.no_grad():
            features = self.backbone(tokens)
        return self.head(features)


class NestedContainers(nn.Module):
    """Blocks in dicts of lists of sequences, among them some that do nothing."""

    def __init__(self, features=8, width=24) -> None:
        super().__init__()
        self.stages = nn.ModuleDict(
            {
                "low": nn.ModuleList([nn.Sequential(nn.Linear(features, width), nn.Sequential(nn.Tanh()))]),
                "high": nn.ModuleList(
                    [nn.Sequential(nn.Identity(), nn.Linear(width, width), nn.GELU()) for _ in range(2)]
                ),
            }
        )
        self.scales = nn.ParameterDict({"out": nn.Parameter(torch.ones(width))})
        self.biases = nn.ParameterList([nn.Parameter(torch.zeros(width)) for _ in range(2)])
        self.out = nn.Linear(width, 2)

    def forward(self, x):
        for block in self.stages["low"]:
            x = block(x)
        for block, bias in zip(self.stages["high"], self.biases, strict=True):
            x = x + block(x + bias)
        return self.out(x * self.scales["out"])


class FNetLike(nn.Module):
    """Tokens mixed by a Fourier transform."""

    def __init__(self, vocab=40, width=32) -> None:
        super().__init__()
        self.embed, self.position = nn.Embedding(vocab, width), nn.Parameter(torch.randn(64, width) * 0.02)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        self.feeds = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width)) for _ in range(2)
        )
        self.head = nn.Linear(width, vocab)

    def forward(self, tokens):
        x = self.embed(tokens) + self.position[: tokens.size(1)]
        for index, feed in enumerate(self.feeds):
            x = self.norms[2 * index](x + torch.fft.fft2(x).real / math.sqrt(x.size(1) * x.size(2)))
            x = self.norms[2 * index + 1](x + feed(x))
        return self.head(x)


class ScaledTanh(torch.autograd.Function):
    """tanh with a backward written by hand, and right."""

    @staticmethod
    def forward(ctx, x):
        y = x.tanh()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, gradient):
        (y,) = ctx.saved_tensors
        return gradient * (1 - y * y)


class OwnBackward(nn.Module):
    """A feed-forward tagger with an activation whose backward is hand-written."""

    def __init__(self, features=10, width=24) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(features, width), nn.Linear(width, 3)

    def forward(self, x):
        return self.down(ScaledTanh.apply(self.up(x)))


class PairOfTensors(nn.Module):
    """Gives class logits and a box for each step; two float inputs are added."""

    def __init__(self, features=8, width=24) -> None:
        super().__init__()
        self.visual, self.motion = nn.Linear(features, width), nn.Linear(features, width)
        self.classes, self.box = nn.Linear(width, 5), nn.Linear(width, 4)

    def forward(self, visual, motion):
        h = F.gelu(self.visual(visual) + self.motion(motion))
        return self.classes(h), self.box(h).sigmoid()


ENCODERS = {
    "bert_like": (BertLike, "encoder"),
    "pooled_classifier": (PooledClassifier, "encoder"),
    "albert_like": (AlbertLike, "encoder"),
    "t5_like": (T5Like, "encoder-decoder"),
    "perceiver": (Perceiver, "sequence"),
    "siamese_pair": (SiamesePair, "unknown"),
    "many_outputs": (ManyOutputs, "encoder"),
    "frozen_backbone": (FrozenBackbone, "encoder"),
    "nested_containers": (NestedContainers, "sequence"),
    "fnet_like": (FNetLike, "encoder"),
    "own_backward": (OwnBackward, "sequence"),
    "pair_of_tensors": (PairOfTensors, "unknown"),
}
