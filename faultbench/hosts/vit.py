"""A vision transformer: patch convolution, class token, learned positions, pre-norm, nn.MultiheadAttention."""

import torch
from torch import nn

CLASSES, WIDTH, HEADS, LAYERS, IMAGE, PATCH = 10, 32, 4, 3, 24, 8


class PatchEmbedding(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.proj = nn.Conv2d(3, WIDTH, kernel_size=PATCH, stride=PATCH)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.zeros(1, (IMAGE // PATCH) ** 2 + 1, WIDTH))
        self.drop = nn.Dropout(dropout)
        nn.init.trunc_normal_(self.cls_token, std=0.02)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)

    def forward(self, images):
        patches = self.proj(images).flatten(2).transpose(1, 2)
        cls = self.cls_token.expand(images.size(0), -1, -1)
        x = torch.cat([cls, patches], dim=1)
        return self.drop(x + self.pos_embed)


class Block(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.attn = nn.MultiheadAttention(WIDTH, HEADS, dropout=dropout, batch_first=True)
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * WIDTH, WIDTH)
        )

    def forward(self, x):
        h = self.norm1(x)
        x = x + self.attn(h, h, h, need_weights=False)[0]
        x = x + self.mlp(self.norm2(x))
        return x


class ViT(nn.Module):
    def __init__(self, dropout=0.1):
        super().__init__()
        self.image_size = IMAGE
        self.embed = PatchEmbedding(dropout)
        self.blocks = nn.ModuleList([Block(dropout) for _ in range(LAYERS)])
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, pixel_values):
        x = self.embed(pixel_values)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[:, 0]))


def build():
    return ViT()
