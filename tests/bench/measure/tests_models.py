"""Small models for tests, named as `tests_models:factory`."""

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


def twice(in_channels: int, num_classes: int) -> nn.Module:
    """For 28x28 images."""
    return Twice(in_channels * 28 * 28, num_classes)


def twice8(in_channels: int, num_classes: int) -> nn.Module:
    """For 8x8 images."""
    return Twice(in_channels * 8 * 8, num_classes)


def no_module(in_channels: int, num_classes: int) -> str:
    """Not a model."""
    return f"{in_channels} {num_classes}"
