"""A small convolutional network with batch norm."""

import torch
from torch import nn


class ConvNet(nn.Module):
    def __init__(self, classes=5, width=8, dropout=0.2):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(width, classes)

    def forward(self, images):
        return self.fc(self.dropout(self.features(images).mean((2, 3))))


def draw_images(count, rows=8, size=8, seed=0, classes=5):
    """Batches of (images, labels): a class brightens one corner."""
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for _ in range(count):
        labels = torch.randint(0, classes, (rows,), generator=generator)
        images = torch.randn(rows, 3, size, size, generator=generator)
        images[torch.arange(rows), labels % 3, :4, :4] += labels[:, None, None].float()
        batches.append((images, labels))
    return batches
