"""A convolutional autoencoder with a loss of its own, and an average of its weights after each step.

nox -s bench -- --task examples.autoencoder:make
"""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class Autoencoder(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.encode = nn.Sequential(
            nn.Conv2d(1, width, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.decode = nn.Sequential(
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x):
        code = self.encode(x)
        return self.decode(code), code


class Task:
    unit, accumulate = "images", 2

    def __init__(self, width):
        self.width, self.average = width, None

    def model(self):
        return Autoencoder(self.width)

    def batches(self, batch_size):
        chance = torch.Generator().manual_seed(0)
        while True:
            yield torch.rand(batch_size, 1, 64, 64, generator=chance)

    def loss(self, model, images):
        again, code = model(images)
        return (again - images).square().mean() + 1e-3 * code.abs().mean()

    def optimizer(self, parameters):
        return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)

    def after_step(self, model):
        if self.average is None:
            self.average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.999))
        self.average.update_parameters(model)


def make(width=32):
    return Task(width)
