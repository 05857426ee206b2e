"""Healthy vision models: windows as in Swin, queries as in DETR, a U-Net, residual nets, mixers, an autoencoder."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class WindowBlock(nn.Module):
    """Attention inside windows of a grid, shifted in every second block."""

    def __init__(self, width=32, window=4, shift=0) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self.norm, self.attention = nn.LayerNorm(width), nn.MultiheadAttention(width, 4, batch_first=True)
        self.feed = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width))

    def forward(self, x):
        b, h, w, c = x.shape
        n = self.window
        y = torch.roll(self.norm(x), (-self.shift, -self.shift), (1, 2))
        y = y.view(b, h // n, n, w // n, n, c).transpose(2, 3).reshape(-1, n * n, c)
        y = self.attention(y, y, y, need_weights=False)[0]
        y = y.view(b, h // n, w // n, n, n, c).transpose(2, 3).reshape(b, h, w, c)
        x = x + torch.roll(y, (self.shift, self.shift), (1, 2))
        return x + self.feed(x)


class SwinLike(nn.Module):
    def __init__(self, image_size=32, width=32, classes=10) -> None:
        super().__init__()
        self.image_size = image_size
        self.patch = nn.Conv2d(3, width, 4, 4)
        self.blocks = nn.Sequential(WindowBlock(width), WindowBlock(width, shift=2))
        self.merge = nn.Linear(4 * width, 2 * width)
        self.norm, self.head = nn.LayerNorm(2 * width), nn.Linear(2 * width, classes)

    def forward(self, images):
        x = self.blocks(self.patch(images).permute(0, 2, 3, 1))
        x = torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], -1)
        return self.head(self.norm(self.merge(x)).mean((1, 2)))


class DetrLike(nn.Module):
    """Learned queries read the picture: a class and a box for each."""

    def __init__(self, width=32, queries=5, classes=7) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 16, 4, 4), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, width, 2, 2)
        )
        self.positions = nn.Parameter(torch.randn(16, width) * 0.02)
        self.queries = nn.Embedding(queries, width)
        self.transformer = nn.Transformer(width, 4, 2, 2, 64, dropout=0.0, batch_first=True)
        self.classes, self.box = nn.Linear(width, classes + 1), nn.Linear(width, 4)

    def forward(self, pixel_values):
        memory = self.backbone(pixel_values).flatten(2).transpose(1, 2) + self.positions
        queries = self.queries.weight.expand(memory.size(0), -1, -1)
        h = self.transformer(memory, queries)
        return {"logits": self.classes(h), "boxes": self.box(h).sigmoid()}


class UNet(nn.Module):
    """A mask for each pixel, from three scales."""

    def __init__(self, channels=3, width=8, classes=2) -> None:
        super().__init__()
        self.down1, self.down2, self.middle = (
            self._make(a, b) for a, b in ((channels, width), (width, 2 * width), (2 * width, 4 * width))
        )
        self.up2, self.up1 = (
            nn.ConvTranspose2d(4 * width, 2 * width, 2, 2),
            nn.ConvTranspose2d(2 * width, width, 2, 2),
        )
        self.join2, self.join1 = self._make(4 * width, 2 * width), self._make(2 * width, width)
        self.out = nn.Conv2d(width, classes, 1)

    @staticmethod
    def _make(a: int, b: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.GroupNorm(4, b), nn.SiLU())

    def forward(self, image):
        a = self.down1(image)
        b = self.down2(F.max_pool2d(a, 2))
        x = self.middle(F.max_pool2d(b, 2))
        x = self.join2(torch.cat([self.up2(x), b], 1))
        return self.out(self.join1(torch.cat([self.up1(x), a], 1)))


class ResNet(nn.Module):
    """Residual blocks whose last norm starts at zero, as torchvision's zero_init_residual."""

    def __init__(self, classes=10, width=16) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, 1, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
                nn.Conv2d(width, width, 3, 1, 1, bias=False),
                nn.BatchNorm2d(width),
            )
            for _ in range(2)
        )
        for block in self.blocks:
            nn.init.zeros_(block[-1].weight)
        self.fc = nn.Linear(width, classes)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = F.relu(x + block(x))
        return self.fc(x.mean((2, 3)))


class ConvNextLike(nn.Module):
    """Depthwise convolutions and layer scale that starts at 1e-6."""

    def __init__(self, classes=10, width=24) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 4, 4)
        self.deep = nn.ModuleList(nn.Conv2d(width, width, 7, padding=3, groups=width) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.mlps = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
            for _ in range(2)
        )
        self.gammas = nn.ParameterList(nn.Parameter(1e-6 * torch.ones(width)) for _ in range(2))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, images):
        x = self.stem(images)
        for deep, norm, mlp, gamma in zip(self.deep, self.norms, self.mlps, self.gammas, strict=True):
            y = mlp(norm(deep(x).permute(0, 2, 3, 1))) * gamma
            x = x + y.permute(0, 3, 1, 2)
        return self.head(self.norm(x.mean((2, 3))))


class MlpMixer(nn.Module):
    def __init__(self, img_size=32, patch=8, width=32, classes=10) -> None:
        super().__init__()
        self.img_size = img_size
        self.patch, tokens = nn.Conv2d(3, width, patch, patch), (img_size // patch) ** 2
        self.norm1, self.across = (
            nn.LayerNorm(width),
            nn.Sequential(nn.Linear(tokens, 32), nn.GELU(), nn.Linear(32, tokens)),
        )
        self.norm2, self.along = (
            nn.LayerNorm(width),
            nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width)),
        )
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = x + self.across(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        x = x + self.along(self.norm2(x))
        return self.head(x.mean(1))


class MaskedAutoencoder(nn.Module):
    """In training every second patch is hidden; all are drawn again."""

    def __init__(self, image_size=32, patch=8, width=32) -> None:
        super().__init__()
        self.image_size, self.patch = image_size, patch
        self.embed = nn.Linear(3 * patch * patch, width)
        self.register_buffer("seen", torch.arange((image_size // patch) ** 2) % 2 == 0)
        self.hidden = nn.Parameter(torch.randn(width) * 0.02)
        self.position = nn.Parameter(torch.randn((image_size // patch) ** 2, width) * 0.02)
        self.layer = nn.TransformerEncoderLayer(width, 4, 64, 0.0, batch_first=True)
        self.out = nn.Linear(width, 3 * patch * patch)

    def forward(self, images):
        patches = F.unfold(images, self.patch, stride=self.patch).transpose(1, 2)
        x = self.embed(patches)
        if self.training:
            x = torch.where(self.seen[:, None], x, self.hidden)
        return self.out(self.layer(x + self.position))


IMAGES = {
    "swin_like": (SwinLike, "vision"),
    "detr_like": (DetrLike, "vision"),
    "u_net": (UNet, "vision"),
    "res_net": (ResNet, "vision"),
    "convnext_like": (ConvNextLike, "vision"),
    "mlp_mixer": (MlpMixer, "vision"),
    "masked_autoencoder": (MaskedAutoencoder, "vision"),
}
