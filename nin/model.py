"""Network in Network, as the notebook builds it.

Shapes in comments: N batch, C channels, H height, W width.
"""

import torch
import torch.nn.functional as F
from torch import nn


def nin_block(in_channels: int, out_channels: int, kernel_size: int, stride: int, padding: int) -> nn.Sequential:
    """One convolution and two 1x1 convolutions, a ReLU after each: (N, in, H, W) -> (N, out, H', W')."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding),
        nn.ReLU(),
        nn.Conv2d(out_channels, out_channels, kernel_size=1),
        nn.ReLU(),
        nn.Conv2d(out_channels, out_channels, kernel_size=1),
        nn.ReLU(),
    )


class GlobalAvgPool2d(nn.Module):
    """The mean over each channel's whole plane: (N, C, H, W) -> (N, C, 1, 1)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The means of x."""
        return F.avg_pool2d(x, kernel_size=x.shape[2:])


class NiN(nn.Sequential):
    """Class scores of grey 224x224 images: (N, 1, 224, 224) -> (N, 10), with 1,992,166 parameters.

    A `Sequential`, so that `state_dict` has the notebook's keys (`0.0.weight` ... `7.4.bias`) and,
    from one seed, the notebook's initial weights. Source: Lin, Chen and Yan, Network In Network,
    arXiv 1312.4400.
    """

    def __init__(self, in_channels: int = 1, num_classes: int = 10) -> None:
        super().__init__(
            nin_block(in_channels, 96, kernel_size=11, stride=4, padding=0),  # N, 96, 54, 54
            nn.MaxPool2d(kernel_size=3, stride=2),  # N, 96, 26, 26
            nin_block(96, 256, kernel_size=5, stride=1, padding=2),  # N, 256, 26, 26
            nn.MaxPool2d(kernel_size=3, stride=2),  # N, 256, 12, 12
            nin_block(256, 384, kernel_size=3, stride=1, padding=1),  # N, 384, 12, 12
            nn.MaxPool2d(kernel_size=3, stride=2),  # N, 384, 5, 5
            nn.Dropout(0.5),
            nin_block(384, num_classes, kernel_size=3, stride=1, padding=1),  # N, 10, 5, 5
            GlobalAvgPool2d(),  # N, 10, 1, 1
            nn.Flatten(),  # N, 10
        )
