"""Parameters, FLOPs and bytes saved for backward of GPT-2, BERT and ViT, from their equations.

Symbols: B batch, T positions (for ViT the patches and the class token), d width, h heads, L layers,
V vocabulary or classes, P position rows. The inner width of the MLP is 4d. Everything is float32.

Parameters of one layer: queries, keys, values and their biases 3d² + 3d, output d² + d, MLP 8d² + 5d, two
LayerNorms 4d: 12d² + 13d.

FLOPs of one layer and position: 24d² (a multiply-add is two, over the 12d² weights) and 4Td for the scores
q·kᵀ and their product with v. Attention is counted in full, causal or not: that is the usual convention, and
what the general kernels compute. Elementwise work, softmax and LayerNorm are left out, as is usual.

Saved for backward, in float32 numbers per position:
    LayerNorm: its input d, mean and reciprocal deviation 2.
    Linear: its input, unless something else has saved that tensor already (counted where it is new).
    Dropout p > 0: its mask d, which the CPU keeps in the dtype of the values.
    Attention with dropout (no fused kernel takes it on the CPU): q, k, v 3d, and per head and pair the softmax,
    the mask and the softmax after the mask, 3hT.
    Attention without dropout, fused: q, k, v 3d, the logarithm of the sum h, the output d; no pairs.
    GELU as one operation: its input. GPT-2's own tanh form, written in steps, keeps four tensors of 4d:
    x, tanh(…), 1 + tanh(…) and x/2.
    Cross-entropy: the log-probabilities V, the targets (int64), and one number, the total weight.
Nothing is counted for the input ids and pixels, parameters and buffers: those live anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

FLOAT, INT64 = 4, 8


@dataclass(frozen=True)
class Sizes:
    """Sizes of a transformer; `patch` and `channels` only for ViT."""

    width: int
    heads: int
    layers: int
    vocabulary: int
    positions: int
    patch: int = 0
    channels: int = 3


@dataclass(frozen=True)
class Figures:
    """What the equations give for one model and shape."""

    parameters: int
    forward_flops: int
    saved_bytes: int


def _layers_parameters(s: Sizes) -> int:
    return s.layers * (12 * s.width**2 + 13 * s.width)


def _layers_flops(s: Sizes, batch: int, length: int) -> int:
    return batch * length * s.layers * (24 * s.width**2 + 4 * length * s.width)


def compute_gpt2(s: Sizes, batch: int, length: int) -> Figures:
    """GPT-2 with a tied head and dropout, training on cross-entropy over all positions."""
    d = s.width
    parameters = s.vocabulary * d + s.positions * d + _layers_parameters(s) + 2 * d  # last: ln_f
    flops = _layers_flops(s, batch, length) + batch * length * 2 * d * s.vocabulary
    layer = (
        (d + 2)  # ln_1
        + d  # c_attn
        + 3 * d + 3 * s.heads * length  # attention with dropout
        + d + d  # c_proj, and the mask after it
        + (d + 2)  # ln_2
        + d  # c_fc
        + 16 * d  # GELU in steps
        + 4 * d + d  # c_proj, and the mask after it
    )  # fmt: skip
    ends = d + (d + 2) + d + s.vocabulary  # mask of the embeddings, ln_f, lm_head, log-probabilities
    saved = batch * length * (FLOAT * (s.layers * layer + ends) + INT64) + INT64 * length + FLOAT
    return Figures(parameters, flops, saved)  # INT64 · length: the position ids, one row for the batch


def compute_bert(s: Sizes, batch: int, length: int) -> Figures:
    """BERT with its masked-language head (tied), dropout, training on cross-entropy over all positions."""
    d = s.width
    embeddings = (s.vocabulary + s.positions + 2) * d + 2 * d  # two token types; LayerNorm
    head = (d * d + d) + 2 * d + s.vocabulary  # transform, LayerNorm, bias of the tied decoder
    flops = _layers_flops(s, batch, length) + batch * length * (2 * d * d + 2 * d * s.vocabulary)
    layer = (
        d  # the input of queries, keys and values
        + 3 * d + 3 * s.heads * length  # attention with dropout
        + d + d + (d + 2)  # output, its mask, LayerNorm
        + d + 4 * d  # intermediate, GELU
        + 4 * d + d + (d + 2)  # output, its mask, LayerNorm
    )  # fmt: skip
    start = (d + 2) + d  # LayerNorm and mask of the embeddings
    end = d + d + (d + 2) + d + s.vocabulary  # transform, GELU, LayerNorm, decoder, log-probabilities
    saved = batch * length * (FLOAT * (start + s.layers * layer + end) + INT64) + INT64 * length + FLOAT
    return Figures(embeddings + _layers_parameters(s) + head, flops, saved)  # last: token types, one row


def compute_vit(s: Sizes, batch: int) -> Figures:
    """ViT without dropout, training on cross-entropy over classes. `positions` counts the class token."""
    d, length = s.width, s.positions
    kernel = s.channels * s.patch**2
    parameters = (kernel * d + d) + d + length * d + _layers_parameters(s) + 2 * d + (d + 1) * s.vocabulary
    flops = _layers_flops(s, batch, length)
    flops += batch * (2 * (length - 1) * kernel * d + 2 * d * s.vocabulary)
    layer = (
        (d + 2) + d  # LayerNorm, and the input of queries, keys and values
        + 3 * d + s.heads + d  # fused attention; its output is the next layer's input
        + (d + 2) + d + 4 * d + 4 * d  # LayerNorm, fc1, GELU, fc2
    )  # fmt: skip
    end = (d + 2) + d  # last LayerNorm; the head's input is a view that keeps the whole of its output
    saved = FLOAT * batch * (length * (s.layers * layer + end) + s.vocabulary) + INT64 * batch + FLOAT
    return Figures(parameters, flops, saved)
