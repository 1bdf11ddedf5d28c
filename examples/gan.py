"""A GAN: its own step trains two models with two optimizers, and names its phases.

nox -s bench -- --task examples.gan:GAN
"""

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce

NOISE = 64


def generator():
    return nn.Sequential(
        nn.ConvTranspose2d(NOISE, 64, 7), nn.BatchNorm2d(64), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
        nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1), nn.Tanh(),
    )  # fmt: skip


def discriminator():
    return nn.Sequential(
        nn.Conv2d(1, 32, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Linear(64 * 49, 1),
    )  # fmt: skip


class GAN:
    unit = "images"

    def models(self):
        self.G, self.D = generator(), discriminator()
        self.optimize_G, self.optimize_D = (torch.optim.Adam(net.parameters(), 2e-4) for net in (self.G, self.D))
        return {"G": self.G, "D": self.D}

    def batches(self, batch_size):
        chance = torch.Generator().manual_seed(0)
        while True:
            yield torch.rand(batch_size, 1, 28, 28, generator=chance)

    def step(self, batches, phase, device):
        images = next(batches)
        noise = torch.randn(len(images), NOISE, 1, 1, device=device)
        real, fake = torch.ones(len(images), 1, device=device), torch.zeros(len(images), 1, device=device)
        with phase("D real"):
            self.optimize_D.zero_grad()
            bce(self.D(images), real).backward()
        with phase("D fake"):
            made = self.G(noise)
            bce(self.D(made.detach()), fake).backward()
        with phase("D step"):
            self.optimize_D.step()
        with phase("G"):
            self.optimize_G.zero_grad()
            loss = bce(self.D(made), real)
            loss.backward()
            self.optimize_G.step()
        return loss
