"""A variational autoencoder of images: reconstruction and divergence."""

import torch
from torch import nn
from torch.nn import functional as F

from loopbench.models.conv_net import draw_images


class VAE(nn.Module):
    def __init__(self, size=192, hidden=32, latent=6):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(size, hidden), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, size))

    def forward(self, x):
        h = self.encoder(x)
        mean, log_variance = self.mean(h), self.log_variance(h)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return self.decoder(z), mean, log_variance


torch.manual_seed(49)
vae = VAE()
optimizer = torch.optim.Adam(vae.parameters(), lr=1e-3)


def step(batch):
    images, _ = batch
    vae.train()
    back, mean, log_variance = vae(images)
    reconstruction = F.mse_loss(back, images.flatten(1), reduction="sum") / len(images)
    divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(1).mean()
    loss = reconstruction + divergence
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


audit = {"step": step, "batches": draw_images(4, seed=49)}
