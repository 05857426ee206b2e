"""The three model families of the agreement table: how to build, call and compute them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from analytic import Figures, Sizes, compute_bert, compute_gpt2, compute_vit
from torch import Tensor, nn


@dataclass(frozen=True)
class Family:
    """A model family at some size, with a batch to call it with."""

    name: str
    build: Callable[[], nn.Module]
    inputs: Callable[[], dict[str, Tensor]]
    figures: Figures

    def loss(self, model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
        """Cross-entropy of every row of logits."""
        logits: Tensor = model(**inputs).logits
        rows = logits.reshape(-1, logits.shape[-1])
        return F.cross_entropy(rows, torch.zeros(rows.shape[0], dtype=torch.long))


def make_families(*, base: bool, batch: int = 2, length: int = 128) -> tuple[Family, ...]:
    """The base sizes (GPT-2 124M, BERT-base, ViT-base), or tiny ones of the same make."""
    import transformers as hf

    text = Sizes(768, 12, 12, 50257, 1024) if base else Sizes(48, 6, 2, 101, 64)
    mask = Sizes(768, 12, 12, 30522, 512) if base else Sizes(48, 6, 2, 101, 64)
    image = Sizes(768, 12, 12, 1000, 197, patch=16) if base else Sizes(48, 6, 2, 10, 17, patch=8)
    pixels = 224 if base else 32
    length = length if base else min(length, 24)

    def gpt2() -> nn.Module:
        s = text
        return hf.GPT2LMHeadModel(
            hf.GPT2Config(
                n_embd=s.width,
                n_head=s.heads,
                n_layer=s.layers,
                vocab_size=s.vocabulary,
                n_positions=s.positions,
            )
        )

    def bert() -> nn.Module:
        s = mask
        return hf.BertForMaskedLM(
            hf.BertConfig(**_common(s), vocab_size=s.vocabulary, max_position_embeddings=s.positions)
        )

    def vit() -> nn.Module:
        s = image
        return hf.ViTForImageClassification(
            hf.ViTConfig(**_common(s), image_size=pixels, patch_size=s.patch, num_labels=s.vocabulary)
        )

    def tokens(s: Sizes) -> dict[str, Tensor]:
        return {"input_ids": torch.randint(0, s.vocabulary, (batch, length))}

    return (
        Family("GPT-2", gpt2, lambda: tokens(text), compute_gpt2(text, batch, length)),
        Family("BERT", bert, lambda: tokens(mask), compute_bert(mask, batch, length)),
        Family(
            "ViT",
            vit,
            lambda: {"pixel_values": torch.randn(batch, 3, pixels, pixels)},
            compute_vit(image, batch),
        ),
    )


def _common(s: Sizes) -> dict[str, Any]:
    return {
        "hidden_size": s.width,
        "num_hidden_layers": s.layers,
        "num_attention_heads": s.heads,
        "intermediate_size": 4 * s.width,
    }
