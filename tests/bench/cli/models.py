"""Models of a person's own, named as `models:factory` when this folder is on the path."""

from torch import Tensor, nn


def lenet(in_channels: int, num_classes: int) -> nn.Module:
    """LeNet-5 for 28x28 images."""
    return LeNet(in_channels, num_classes)


class LeNet(nn.Module):
    """Convolutions and a head, with functional code between them."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2),
        )  # fmt: skip
        self.classifier = nn.Sequential(nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))  # type: ignore[no-any-return]
