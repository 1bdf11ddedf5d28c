"""Small models for tests, named as `tests_models:factory`."""

import torch
from torch import Tensor, nn


class Square(nn.Module):
    """x * x: saves its input twice, as one storage."""

    def forward(self, x: Tensor) -> Tensor:
        return x * x


class Twice(nn.Module):
    """A ReLU, a square and a head."""

    def __init__(self, pixels: int, num_classes: int) -> None:
        super().__init__()
        self.relu, self.square, self.head = nn.ReLU(), Square(), nn.Linear(pixels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        # The input gets a gradient, so that what the first layers save is saved.
        return self.head(self.square(self.relu(x.requires_grad_())).flatten(1))  # type: ignore[no-any-return]


class Odd(nn.Module):
    """A ReLU called by a keyword twice, by two names; one that is never called; a head whose name is ours."""

    def __init__(self, pixels: int, num_classes: int) -> None:
        super().__init__()
        self.relu, self.unused, self.between = nn.ReLU(), nn.ReLU(), nn.Linear(pixels, num_classes)
        self.again = self.relu

    def forward(self, x: Tensor) -> Tensor:
        x = self.again(input=self.relu(input=x.requires_grad_()))
        return self.between(x.flatten(1))  # type: ignore[no-any-return]


def odd(in_channels: int, num_classes: int) -> nn.Module:
    """For 28x28 images."""
    return Odd(in_channels * 28 * 28, num_classes)


def twice(in_channels: int, num_classes: int) -> nn.Module:
    """For 28x28 images."""
    return Twice(in_channels * 28 * 28, num_classes)


def twice8(in_channels: int, num_classes: int) -> nn.Module:
    """For 8x8 images."""
    return Twice(in_channels * 8 * 8, num_classes)


def no_module(in_channels: int, num_classes: int) -> str:
    """Not a model."""
    return f"{in_channels} {num_classes}"


class Block(nn.Module):
    """A convolution and a ReLU, and a head; `spoil` is done to what the ReLU gives."""

    def __init__(self, in_channels: int, num_classes: int, spoil: nn.Module) -> None:
        super().__init__()
        self.conv, self.relu, self.spoil = nn.Conv2d(in_channels, 8, 3), nn.ReLU(), spoil
        self.conv2, self.pool = nn.Conv2d(8, 8, 3), nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv2(self.spoil(self.relu(self.conv(x))))
        return self.head(self.pool(x).flatten(1))  # type: ignore[no-any-return]


class AvgPoolOther(nn.Module):
    """Hands on its input in the default layout."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clone(memory_format=torch.contiguous_format)


class NotANumber(nn.Module):
    """Makes the loss one."""

    def forward(self, x: Tensor) -> Tensor:
        return x * float("nan")


class Counting(nn.Module):
    """Its forward depends on how often it ran, which a compiler guards by compiling anew."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x + self.calls


class Noise(nn.Module):
    """Adds to its input what no one can tell beforehand."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.randn_like(x)


def random(in_channels: int, num_classes: int) -> nn.Module:
    """No two calls agree."""
    return Block(in_channels, num_classes, Noise())


def normalised(in_channels: int, num_classes: int) -> nn.Module:
    """Its convolution's bias is taken off again by a batch norm: its gradient is exactly 0."""
    return nn.Sequential(
        nn.Conv2d(in_channels, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.BatchNorm2d(16),
        nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, num_classes),
    )  # fmt: skip


def honest(in_channels: int, num_classes: int) -> nn.Module:
    """Nothing is wrong with it."""
    return Block(in_channels, num_classes, nn.Identity())


def loses_layout(in_channels: int, num_classes: int) -> nn.Module:
    """Its second layer hands on the default layout."""
    return Block(in_channels, num_classes, AvgPoolOther())


def not_a_number(in_channels: int, num_classes: int) -> nn.Module:
    """Its loss is none."""
    return Block(in_channels, num_classes, NotANumber())


def recompiles(in_channels: int, num_classes: int) -> nn.Module:
    """Every call is another program."""
    return Block(in_channels, num_classes, Counting())
