"""A healthy, tiny vision transformer for 32 × 32 RGB images, from PyTorch's own layers.

Try it:  tierproof check examples/vit.py
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TinyViT(nn.Module):
    """Images in, logits over the classes out."""

    def __init__(
        self,
        image_size: int = 32,
        patch_size: int = 8,
        width: int = 64,
        heads: int = 4,
        blocks: int = 3,
        classes: int = 10,
    ) -> None:
        super().__init__()
        self.to_patches = nn.Conv2d(3, width, kernel_size=patch_size, stride=patch_size)
        self.class_token = nn.Parameter(torch.empty(1, 1, width))
        self.position_embedding = nn.Parameter(torch.empty(1, (image_size // patch_size) ** 2 + 1, width))
        # Not nn.TransformerEncoder: it copies one layer, so that all its blocks would start out equal.
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, 4 * width, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(blocks)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)
        nn.init.trunc_normal_(self.class_token, std=0.02)
        nn.init.trunc_normal_(self.position_embedding, std=0.02)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (batch, 3, height, width) to logits (batch, classes)."""
        patches = self.to_patches(images).flatten(2).transpose(1, 2)
        class_token = self.class_token.expand(patches.shape[0], -1, -1)
        x = torch.cat([class_token, patches], dim=1) + self.position_embedding
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[:, 0]))


def build_model() -> TinyViT:
    """Build the model that `tierproof check` is to look at."""
    return TinyViT()
