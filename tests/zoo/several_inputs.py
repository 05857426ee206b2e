"""Healthy models that take inputs of several kinds, or hide how long and how shifted their input is."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Denoiser(nn.Module):
    """A U-Net of a diffusion: an image and a step for each row."""

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(32, 64), nn.SiLU(), nn.Linear(64, 2 * channels))
        self.stem = nn.Conv2d(3, channels, 3, padding=1)
        self.down = nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1)
        self.norm = nn.GroupNorm(4, 2 * channels)
        self.middle = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1)
        self.up = nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
        self.out = nn.Conv2d(2 * channels, 3, 3, padding=1)

    def forward(self, x: Tensor, timesteps: Tensor) -> Tensor:
        frequencies = torch.exp(-math.log(1e4) * torch.arange(16, device=x.device) / 16)
        angles = timesteps.float()[:, None] * frequencies
        time = self.time(torch.cat([angles.sin(), angles.cos()], -1).to(x.dtype))
        stem = self.stem(x)
        deep = self.down(stem) + time[:, :, None, None]
        deep = self.middle(F.silu(self.norm(deep)))
        return self.out(torch.cat([self.up(deep), stem], 1))


class ImageText(nn.Module):
    """CLIP's two towers: each image against each text of the batch."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 8, 8)
        self.tokens = nn.Embedding(90, width)
        self.layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.0, batch_first=True)
        self.image_head = nn.Linear(width, width, bias=False)
        self.text_head = nn.Linear(width, width, bias=False)
        self.scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        images = self.image_head(self.patches(image).flatten(2).mean(-1))
        texts = self.text_head(self.layer(self.tokens(text)).mean(1))
        return self.scale.exp() * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T


class Video(nn.Module):
    """Tubes of frames through one encoder layer, pooled."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.tubes = nn.Conv3d(3, width, (2, 8, 8), (2, 8, 8))
        self.layer = nn.TransformerEncoderLayer(width, 4, 48, dropout=0.0, batch_first=True)
        self.head = nn.Linear(width, 6)

    def forward(self, video: Tensor) -> Tensor:
        return self.head(self.layer(self.tubes(video).flatten(2).transpose(1, 2)).mean(1))


class SlicedPositions(nn.Module):
    """BERT with two heads; its table of positions is sliced, and nothing declares that 64 is the maximum."""

    def __init__(self, vocabulary: int = 99, width: int = 32) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width, padding_idx=0)
        self.places = nn.Embedding(64, width)
        self.norm = nn.LayerNorm(width)
        layer = nn.TransformerEncoderLayer(width, 4, 64, batch_first=True, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self.pool = nn.Linear(width, width)
        self.follows = nn.Linear(width, 2)

    def forward(self, input_ids: Tensor) -> dict[str, Tensor]:
        x = self.norm(self.words(input_ids) + self.places.weight[: input_ids.shape[1]])
        x = self.encoder(x)
        follows = self.follows(torch.tanh(self.pool(x[:, 0])))
        return {"words": F.linear(x, self.words.weight, self.bias), "follows": follows}


class ShiftsInside(nn.Module):
    """MegaByte's way: the answer at a byte predicts that byte from those before it, so the last is never read."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.embed = nn.Embedding(257, width)
        self.places = nn.Embedding(128, width)
        self.layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.0, batch_first=True, norm_first=True)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 256)

    def forward(self, data: Tensor) -> Tensor:
        length = data.shape[1]
        before = F.pad(data[:, :-1], (1, 0), value=256)
        x = self.embed(before) + self.places(torch.arange(length, device=data.device))
        mask = nn.Transformer.generate_square_subsequent_mask(length, device=data.device, dtype=x.dtype)
        return self.head(self.norm(self.layer(x, src_mask=mask, is_causal=True)))


SEVERAL_INPUTS = {
    "denoiser": (Denoiser, "vision"),
    "image_text": (ImageText, "multimodal"),
    "video": (Video, "vision"),
    "sliced_positions": (SlicedPositions, "encoder"),
    "shifts_inside": (ShiftsInside, "causal-lm"),
}
